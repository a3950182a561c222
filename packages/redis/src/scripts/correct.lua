#!lua
-- Writes an approved correction into the shard's log. It changes nothing else here: what is derived anew is derived
-- from the log, by whoever the entry concerns.
--   KEYS[1..2], ARGV[1..5], reply: includes/shard.lua
--   ARGV[6] the correction's JSON   ARGV[7] its id
-- Outcome: "1" written, "0" where it was the last one written already.
--- @include "includes/shard.lua"

local again = redis.call('HGET', KEYS[1], 'k') == ARGV[7]
local body = nil
if not again then
  change('k', ARGV[7])
  body = '"kind":"correct","correction":' .. ARGV[6]
end
return finish(again and '0' or '1', body)
