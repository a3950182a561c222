#!lua flags=no-writes
-- Reads coupons' records.
--   KEYS per coupon the page of its bits and its record   ARGV per coupon its serial
-- Reply: per coupon its fields and values in turn; nothing on record: none of them; cold: nil.
local reply = {}
for i = 1, #ARGV do
  local fields = redis.call('HGETALL', KEYS[2 * i])
  if #fields == 0 and redis.call('BITFIELD_RO', KEYS[2 * i - 1], 'GET', 'u2', '#' .. ARGV[i] % 4096)[1] ~= 0 then
    fields = false
  end
  reply[i] = fields
end
return reply
