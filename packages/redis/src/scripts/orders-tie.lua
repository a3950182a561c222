#!lua
-- Ties orders to their coupons: the first to come names them. Counts who relies on each tie.
--   KEYS per order: its tie, the mark of its tag
--   ARGV per order: hash of its coupons, time to live in ms, "1" where the ledger has been asked about this order
-- Reply: a letter an order: f first, s the same coupons, o others, u unsure: nothing done, ask the ledger first.
--- @include "includes/orders.lua"

local complete = {}
local function isComplete(mark)
  if complete[mark] == nil then
    complete[mark] = call('GET', mark) == runId
  end
  return complete[mark]
end

local letters = {}
for i = 1, #KEYS / 2 do
  local key, names, ttl = KEYS[2 * i - 1], ARGV[3 * i - 2], ARGV[3 * i - 1]
  local sure = ARGV[3 * i] == '1' or isComplete(KEYS[2 * i])
  if not sure then
    letters[i] = 'u'
  elseif call('SET', key, names .. ' 1 ' .. stamp, 'NX', 'PX', ttl) then
    letters[i] = 'f'
  else
    local named, count = readTie(key)
    if not named then
      writeTie(key, names, ttl)
      letters[i] = 'f'
    elseif named ~= names then
      letters[i] = 'o'
    else
      call('SET', key, names .. ' ' .. count + 1 .. ' ' .. stamp, 'KEEPTTL')
      call('PEXPIRE', key, ttl, 'GT')
      letters[i] = 's'
    end
  end
end
return table.concat(letters)
