#!lua
-- Takes stock out of a shard for another one. It is credited there once this entry is durable. A transfer that the
-- target has not got yet is given again instead of a new one.
--   KEYS[1..2], ARGV[1..5], reply: includes/shard.lua
--   ARGV[6] target shard   ARGV[7] greatest amount to take   ARGV[8] last transfer that the target was credited with
-- Outcome: "<amount taken> <number of the transfer to that target, from 1> <coupons issued by this shard>".
--- @include "includes/shard.lua"

local counter = 'D' .. ARGV[6]
local last, lastAmount = string.match(redis.call('HGET', KEYS[1], counter) or '0 0', '^(%d+) (%d+)$')
local transfer, credited = tonumber(last), tonumber(ARGV[8])
if credited > transfer then
  return redis.error_reply('ERR shard ' .. ARGV[6] .. ' was credited with transfer ' .. credited .. ' of ' .. last)
elseif credited < transfer then
  return finish(lastAmount .. ' ' .. transfer .. ' ' .. shard.next, nil)
end
local amount = math.max(0, math.min(tonumber(ARGV[7]), shard.left))
local body = nil
if amount > 0 then
  transfer = transfer + 1
  change(counter, transfer .. ' ' .. amount)
  change('l', shard.left - amount)
  body = '"kind":"debit","target":' .. ARGV[6] .. ',"amount":' .. amount .. ',"transfer":' .. transfer
end
return finish(amount .. ' ' .. transfer .. ' ' .. shard.next, body)
