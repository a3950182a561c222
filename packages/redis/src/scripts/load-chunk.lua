#!lua
-- Writes a chunk of coupons, ascending and without a gap, into a shard that is being loaded.
--   KEYS[1] header   KEYS[2] time index   KEYS[3..] the pages of the chunk's serials, then per coupon its user bucket
--   ARGV[1] token   ARGV[2] first serial   ARGV[3] number of pages   ARGV[4] first page
--   ARGV[5] per coupon 19 bytes: user field (6), key hash (8), second of issue (4), bits "0" to "3"
-- Reply: 1, or 0 where somebody else has begun since or the chunk is not the one that comes next.
--- @include "includes/time-index.lua"
--- @include "includes/coupon.lua"

local header = redis.call('HMGET', KEYS[1], 'token', 'p', 'q', 'c')
if header[1] ~= ARGV[1] or header[2] ~= ARGV[2] then
  return 0
end
local first, pages, firstPage, packed = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local indexed, records, count = tonumber(header[3]), tonumber(header[4]), #KEYS - 2 - pages
for i = 1, count do
  local at, serial, bucket = (i - 1) * 19, first + i - 1, KEYS[2 + pages + i]
  local field, key = sub(packed, at + 1, at + 6), sub(packed, at + 7, at + 14)
  local second, bits = readUint32(packed, at + 15), byte(packed, at + 19) - 48
  redis.call('HSET', bucket, field, (redis.call('HGET', bucket, field) or '') .. packSerial(serial) .. key)
  if second ~= indexed then
    indexSecond(KEYS[2], serial, second)
    indexed, records = second, records + 1
  end
  if bits ~= 0 then
    writeBits(KEYS[3 + floor(serial / 4096) - firstPage], serial, bits)
  end
end
redis.call('HSET', KEYS[1], 'p', first + count, 'q', indexed, 'c', records)
return 1
