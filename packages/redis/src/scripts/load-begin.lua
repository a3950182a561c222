#!lua
-- Takes a shard out of service to remove or rebuild it. From here on it matches no call (its header has no epoch),
-- and only steps that carry this token count: a rival that began earlier can't mix its own in.
--   KEYS[1] header
--   ARGV[1] token
-- Reply: next serial and rules as the header had them, by which the shard's keys are found; nil where it had none.
local found = redis.call('HMGET', KEYS[1], 's', 'r')
redis.call('HDEL', KEYS[1], 'e', 'p')
redis.call('HSET', KEYS[1], 'token', ARGV[1])
return found
