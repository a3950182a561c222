#!lua
-- Removes keys of a shard that is out of service.
--   KEYS[1] header   KEYS[2..] keys to remove; the header itself comes last of all, by itself
--   ARGV[1] token
-- Reply: 1, or 0 where somebody else has begun since.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
for i = 2, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
return 1
