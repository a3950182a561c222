#!lua
-- A step of a load: coupons in their users' slots, bucket by bucket.
--   KEYS[1] header   KEYS[2..] buckets
--   ARGV[1] token   ARGV[2] number of this step, from 0   ARGV[3] bytes of a coupon in a slot, 11 or 12
--   ARGV[4] per bucket: number of users that are new in it, number of coupons of users that may be there already
--     (a byte each), then each coupon: the user's field (6 bytes) and the serial and key hash as a slot has them
-- Reply: 1, or 0 where somebody else has begun since or the step is not the one that comes next.
local byte, sub, call = string.byte, string.sub, redis.call

local header = call('HMGET', KEYS[1], 'token', 'p')
if header[1] ~= ARGV[1] or header[2] ~= ARGV[2] then
  return 0
end
local width, packed, at = 6 + ARGV[3], ARGV[4], 1
for i = 2, #KEYS do
  local bucket, new, again = KEYS[i], byte(packed, at, at + 1)
  at = at + 2
  if new > 0 then
    local slots, n = {}, 0
    for from = at, at + (new - 1) * width, width do
      slots[n + 1] = sub(packed, from, from + 5)
      n = n + 2
      slots[n] = sub(packed, from + 6, from + width - 1)
    end
    call('HSET', bucket, unpack(slots))
    at = at + new * width
  end
  for from = at, at + (again - 1) * width, width do
    local field = sub(packed, from, from + 5)
    call('HSET', bucket, field, (call('HGET', bucket, field) or '') .. sub(packed, from + 6, from + width - 1))
  end
  at = at + again * width
end
call('HSET', KEYS[1], 'p', ARGV[2] + 1)
return 1
