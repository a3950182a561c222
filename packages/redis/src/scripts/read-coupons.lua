#!lua flags=no-writes
-- Reads coupons with all that is on record of them, at one entry number.
--   KEYS[1] header   KEYS[2..] per coupon the page of its bits and its record   ARGV per coupon its serial
-- Reply: nil where there is no such shard, or one that is half loaded; else number, next serial, then per coupon its
--   bits and the fields and values of its record in turn.
local header = redis.call('HMGET', KEYS[1], 'e', 'n', 's')
if not header[1] then
  return false
end
local reply = { header[2], header[3] }
for i = 1, #ARGV do
  reply[2 * i + 1] = redis.call('BITFIELD_RO', KEYS[2 * i], 'GET', 'u2', '#' .. ARGV[i] % 4096)[1]
  reply[2 * i + 2] = redis.call('HGETALL', KEYS[2 * i + 1])
end
return reply
