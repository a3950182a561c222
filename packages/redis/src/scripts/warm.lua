#!lua
-- Puts back records that had gone cold. A record that is there, or whose state is not the one that the bits tell, is
-- left alone.
--   KEYS[1..2], ARGV[1..5], reply: includes/shard.lua
--   KEYS[3..] per record the page of its bits and the record
--   ARGV[6..] per record: serial, bits of its state, number of texts that follow, fields and values in turn
-- Outcome: "".
--- @include "includes/shard.lua"
--- @include "includes/coupon.lua"

local at = 6
for i = 1, (#KEYS - 2) / 2 do
  local page, record = KEYS[1 + 2 * i], KEYS[2 + 2 * i]
  local serial, bits, count = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  if readBits(page, serial) == bits and redis.call('EXISTS', record) == 0 then
    write(record, shard.number, unpack(ARGV, at + 3, at + 2 + count))
  end
  at = at + 3 + count
end
return finish('', nil)
