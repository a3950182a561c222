#!lua
-- A step of a load: when coupons were issued, and what is on record of them.
--   KEYS[1] header   KEYS[2] time index   KEYS[3..] pages
--   ARGV[1] token   ARGV[2] number of this step, from 0   ARGV[3] what the time index goes on with   ARGV[4..] the pages
-- Reply: 1, or 0 where somebody else has begun since or the step is not the one that comes next.
local header = redis.call('HMGET', KEYS[1], 'token', 'p')
if header[1] ~= ARGV[1] or header[2] ~= ARGV[2] then
  return 0
end
if ARGV[3] ~= '' then
  redis.call('APPEND', KEYS[2], ARGV[3])
end
for i = 3, #KEYS do
  redis.call('SET', KEYS[i], ARGV[i + 1])
end
redis.call('HSET', KEYS[1], 'p', ARGV[2] + 1)
return 1
