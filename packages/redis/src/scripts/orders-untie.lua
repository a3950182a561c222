#!lua
-- Unties orders from their coupons, unless they are tied to others.
--   KEYS the orders   ARGV per order: hash of its coupons, "1": only where nobody else relies on the tie
-- Reply: how many orders were untied.
--- @include "includes/orders.lua"

local untied = 0
for i = 1, #KEYS do
  local key, names = KEYS[i], ARGV[2 * i - 1]
  local named, count = readTie(key)
  if named == names and ARGV[2 * i] == '1' and count > 1 then
    call('SET', key, names .. ' ' .. count - 1 .. ' ' .. stamp, 'KEEPTTL')
  elseif named == names then
    untied = untied + call('DEL', key)
  end
end
return untied
