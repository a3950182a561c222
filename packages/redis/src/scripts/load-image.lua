#!lua
-- Starts to fill an emptied shard: nothing of the header that it had is left. What is written here leads to the keys
-- that follow, should this load be broken off.
--   KEYS[1] header
--   ARGV[1] token   ARGV[2] next serial   ARGV[3] rules as the header keeps them
-- Reply: 1, or 0 where somebody else has begun since.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'token', ARGV[1], 's', ARGV[2], 'r', ARGV[3], 'p', 0)
return 1
