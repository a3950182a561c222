#!lua
-- Makes a loaded shard valid, once all of its coupons are there.
--   KEYS[1] header
--   ARGV[1] token   ARGV[2..] fields and values of the header in turn
-- Reply: 1, or 0 where somebody else has begun since or coupons are missing.
local header = redis.call('HMGET', KEYS[1], 'token', 'p', 's')
if header[1] ~= ARGV[1] or header[2] ~= header[3] then
  return 0
end
redis.call('HDEL', KEYS[1], 'token', 'p')
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
