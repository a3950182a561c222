#!lua
-- Puts rules in force in a shard. Rules that are in force already, or older, change nothing. The number of user
-- buckets is that of the shard's first rules, for good.
--   KEYS[1..2], ARGV[1..5], reply: includes/shard.lua
--   ARGV[6] the rules as the header keeps them (includes/rules.lua), without buckets
--   ARGV[7] the rules' JSON up to the number of buckets: `{"version":1,…,"buckets":`   ARGV[8] buckets
-- Outcome: how many more are issued than the rules allot.
--- @include "includes/shard.lua"
--- @include "includes/rules.lua"

local before = readRules(header[11])
local buckets = before and before.buckets or tonumber(ARGV[8])
local packed = ARGV[6] .. ' ' .. buckets
local rules = readRules(packed)
local body = nil
if not before or rules.version > before.version then
  shard.left = leftUnder(rules, before, shard.left)
  change('r', packed)
  change('l', shard.left)
  body = '"kind":"rules","rules":' .. ARGV[7] .. buckets .. '}'
end
return finish(tostring(math.max(0, -shard.left)), body)
