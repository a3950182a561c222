-- Fills user buckets as claim.lua does, with fields and values of the sizes to be compared.
--   ARGV[1] first coupon   ARGV[2] how many   ARGV[3] buckets   ARGV[4] bytes of a field   ARGV[5] bytes of a value
-- Reply: nothing. Keys are made up here, for this measures memory on a server of its own.
local fieldBytes, value = tonumber(ARGV[4]), string.rep('\255', tonumber(ARGV[5]))
for i = tonumber(ARGV[1]), ARGV[1] + ARGV[2] - 1 do
  local digest = redis.sha1hex(i)
  local bucket = tonumber(string.sub(digest, 1, 8), 16) % ARGV[3]
  local field = string.gsub(string.sub(digest, 9, 8 + 2 * fieldBytes), '..', function(hex)
    return string.char(tonumber(hex, 16))
  end)
  redis.call('HSET', 'coupon{1.0}:u' .. bucket, field, value)
end
