#!lua
-- Makes a loaded shard valid, once all of its coupons are there.
--   KEYS[1] header
--   ARGV[1] token   ARGV[2] number of steps   ARGV[3..] fields and values of the header in turn
-- Reply: 1, or 0 where somebody else has begun since or a step is missing.
local header = redis.call('HMGET', KEYS[1], 'token', 'p')
if header[1] ~= ARGV[1] or header[2] ~= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[1], 'token', 'p')
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return 1
