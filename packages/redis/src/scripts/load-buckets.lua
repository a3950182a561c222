#!lua
-- A step of a load: whole buckets, ready-made.
--   KEYS[1] header   KEYS[2..] buckets
--   ARGV[1] token   ARGV[2] number of this step, from 0   ARGV[3..] per bucket what RESTORE takes (ready-bucket.ts)
-- Reply: 1, or 0 where somebody else has begun since or the step is not the one that comes next.
local header = redis.call('HMGET', KEYS[1], 'token', 'p')
if header[1] ~= ARGV[1] or header[2] ~= ARGV[2] then
  return 0
end
for i = 2, #KEYS do
  redis.call('RESTORE', KEYS[i], 0, ARGV[i + 1], 'REPLACE')
end
redis.call('HSET', KEYS[1], 'p', ARGV[2] + 1)
return 1
