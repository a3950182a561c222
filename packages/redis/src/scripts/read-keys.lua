#!lua flags=no-writes
-- Reads keys of a shard at one entry number.
--   KEYS[1] header   KEYS[2..] keys of one type   ARGV[1] how each is read (HGETALL, GET, GETRANGE)   ARGV[2..] with what
-- Reply: nil where there is no such shard, or one that is half loaded; else number, next serial, then what was read.
local header = redis.call('HMGET', KEYS[1], 'e', 'n', 's')
if not header[1] then
  return false
end
local reply = { header[2], header[3] }
for i = 2, #KEYS do
  reply[i + 1] = redis.call(ARGV[1], KEYS[i], unpack(ARGV, 2))
end
return reply
