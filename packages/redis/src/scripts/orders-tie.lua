#!lua
-- Ties orders to their coupons: the first to come names them. A tie lasts as long as the longest claim on it.
--   KEYS per order: its tie, the mark of its tag
--   ARGV per order: hash of its coupons, time to live in ms, "1" where the ledger has been asked about this order
-- Reply: the time in ms from which the times to live count, a space, and a letter an order: f first, s the same coupons,
--   o others, u unsure: nothing done, ask the ledger first.
--- @include "includes/orders.lua"

local complete = {}
local function isComplete(mark)
  if complete[mark] == nil then
    complete[mark] = call('GET', mark) == runId
  end
  return complete[mark]
end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- As texts, by the time to live: nearly all of a call have the same.
local untils = {}
local function untilOf(ttl)
  if not untils[ttl] then
    untils[ttl] = string.format('%.0f', now + ttl)
  end
  return untils[ttl]
end

local function insert(claims, till)
  local at = 1
  while claims[at] and claims[at] > till do
    at = at + 1
  end
  table.insert(claims, at, till)
  return claims
end

local letters = {}
for i = 1, #KEYS / 2 do
  local key, names, ttl = KEYS[2 * i - 1], ARGV[3 * i - 2], ARGV[3 * i - 1]
  local sure = ARGV[3 * i] == '1' or isComplete(KEYS[2 * i])
  if not sure then
    letters[i] = 'u'
  elseif call('SET', key, names .. ' 1 ' .. stamp, 'NX', 'PXAT', untilOf(ttl)) then
    letters[i] = 'f'
  else
    local named, claims = readTie(key)
    if named and named ~= names then
      letters[i] = 'o'
    else
      writeTie(key, names, insert(claims or {}, now + ttl))
      letters[i] = named and 's' or 'f'
    end
  end
end
return untilOf(0) .. ' ' .. table.concat(letters)
