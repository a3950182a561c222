#!lua
-- Writes an approved correction into the shard's log, once. It changes nothing else here: what is derived anew is
-- derived from the log, by whoever the entry concerns.
--   KEYS[1..2], ARGV[1..5], reply: includes/shard.lua
--   ARGV[6] the correction's JSON   ARGV[7] its id   ARGV[8] "1" where hot state is to be built anew
-- Outcome: "1" written, "0" where it was written before; and a "k" where hot state is still to be built anew for it.
--- @include "includes/shard.lua"
--- @include "includes/corrections.lua"

local found = redis.call('HMGET', KEYS[1], 'k', 'K')
local again = isWritten(found[2], ARGV[7])
local asked = found[1] == ARGV[7]
local body = nil
if not again then
  asked = ARGV[8] == '1'
  if asked then
    change('k', ARGV[7])
  end
  change('K', withCorrection(found[2], ARGV[7]))
  body = '"kind":"correct","correction":' .. ARGV[6]
end
return finish((again and '0' or '1') .. (asked and 'k' or ''), body)
