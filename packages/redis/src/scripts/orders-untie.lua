#!lua
-- Unties orders from their coupons, unless they are tied to others.
--   KEYS the orders   ARGV per order: hash of its coupons, until when in ms the claim lasts that is given back, "" where
--     it is untied whoever relies on it
-- Reply: how many orders were untied.
--- @include "includes/orders.lua"

local function without(untils, till)
  for i, each in ipairs(untils) do
    if each == till then
      table.remove(untils, i)
      break
    end
  end
  return untils
end

local untied = 0
for i = 1, #KEYS do
  local key, till = KEYS[i], ARGV[2 * i]
  local names, untils = readTie(key)
  if names == ARGV[2 * i - 1] then
    local left = till == '' and {} or without(untils, tonumber(till))
    if #left == 0 then
      untied = untied + call('DEL', key)
    else
      writeTie(key, names, left)
    end
  end
end
return untied
