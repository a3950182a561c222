#!lua
-- Puts stock that was taken from another shard into this one, once per transfer.
--   KEYS[1..2], ARGV[1..5], reply: includes/shard.lua
--   ARGV[6] source shard   ARGV[7] amount   ARGV[8] number of the transfer from that source
-- Outcome: "1" credited, "0" credited before. A transfer that would skip one before it is an error.
--- @include "includes/shard.lua"

local counter = 'C' .. ARGV[6]
local last, transfer = tonumber(redis.call('HGET', KEYS[1], counter) or 0), tonumber(ARGV[8])
if transfer > last + 1 then
  return redis.error_reply('ERR transfer ' .. transfer .. ' from shard ' .. ARGV[6] .. ' skips ' .. last + 1)
end
local body = nil
if transfer > last then
  change(counter, transfer)
  change('l', shard.left + tonumber(ARGV[7]))
  body = '"kind":"credit","source":' .. ARGV[6] .. ',"amount":' .. ARGV[7] .. ',"transfer":' .. transfer
end
return finish(body and '1' or '0', body)
