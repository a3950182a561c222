#!lua
-- Applies a micro-batch of claims and grants to one shard, in order.
--   KEYS[1..2], ARGV[1..5], reply: includes/shard.lua
--   KEYS[3] time index; KEYS[3 + i] the user bucket of claim i: field = 6 bytes of the user's hash,
--     value = 11 or 12 bytes per coupon of that user (serial, 8 bytes of the key's hash)
--   ARGV[6] buckets that KEYS were computed with   ARGV[7] day starts in ms, ascending, a space between
--   ARGV[8] 15 bytes per claim: user field (6), key hash (8), "1" where a new issue is permitted, else "0"
--   ARGV[9] per claim the end of its item in the entry, `,"user","caller","keyhash","c"]`, each ended by a newline
-- Reply {'buckets', n} where the shard's rules say another number of buckets, with nothing changed.
-- Outcomes: the serial of the first issue, ";", then per claim, in the order of precedence:
--   r<serial>.<second>; replayed   i issued, serials ascending by one    n not permitted
--   s not started   p paused   e ended   k deactivated
--   u<used>.<max>; user's limit    v<used>.<max>; user's limit a day
--   y<used>.<max>; day's stock     x<used>.<max>; stock (sold out)
--- @include "includes/shard.lua"
--- @include "includes/rules.lua"
--- @include "includes/time-index.lua"

local call, find, format = redis.call, string.find, string.format
local packed, texts = ARGV[8], ARGV[9]
local rules = readRules(header[11])
if rules and rules.buckets ~= tonumber(ARGV[6]) then
  return { 'buckets', rules.buckets }
end

-- The letter of the batch's state; nil while it issues.
local function closed()
  if not rules or shard.now < rules.from then
    return 's'
  elseif rules.state == 'issuing' then
    return shard.now >= rules.till and 'e' or nil
  elseif rules.state == 'paused' then
    return 'p'
  elseif rules.state == 'ended' then
    return 'e'
  elseif rules.state == 'deactivated' then
    return 'k'
  end
  return 's'
end

local state = closed()
for start in string.gmatch(ARGV[7], '%S+') do
  start = tonumber(start)
  if start <= shard.now and start > shard.day then
    shard.day = start
    shard.dayFirst = shard.next
  end
end

local first, dayFirst = shard.next, shard.dayFirst
local nextSerial = first
local second = floor(shard.now / 1000)

-- Why the user whose coupons are in `slot` gets none now; nil where it may have one.
local function refusal(slot, permitted)
  if not permitted then
    return 'n'
  elseif state then
    return state
  end
  local held, today, at = 0, 0, 1
  while at <= #slot do
    local serial, after = readSerial(slot, at)
    held = held + 1
    today = today + (serial >= dayFirst and 1 or 0)
    at = after + 8
  end
  if held >= rules.perUser then
    return 'u' .. held .. '.' .. rules.perUser .. ';'
  elseif today >= rules.perUserPerDay then
    return 'v' .. today .. '.' .. rules.perUserPerDay .. ';'
  elseif nextSerial - dayFirst >= rules.perDay then
    return 'y' .. nextSerial - dayFirst .. '.' .. rules.perDay .. ';'
  elseif nextSerial >= first + shard.left then
    return 'x' .. nextSerial .. '.' .. first + shard.left .. ';'
  end
end

-- The outcome that this key got before, nil where it got none.
local function replayed(slot, key)
  local at = 1
  while at <= #slot do
    local serial, after = readSerial(slot, at)
    if sub(slot, after, after + 7) == key then
      return 'r' .. serial .. '.' .. (serial >= first and second or secondOf(KEYS[3], shard.indexed, serial)) .. ';'
    end
    at = after + 8
  end
end

-- The general way: looks at what the user has, then decides. Where it issues, the slot has the next serial.
local function decide(bucket, field, key, permitted)
  local slot = call('HGET', bucket, field) or ''
  local outcome = replayed(slot, key) or refusal(slot, permitted)
  if not outcome then
    call('HSET', bucket, field, slot .. packSerial(nextSerial) .. key)
  end
  return outcome or 'i'
end

-- The serial at which the shard or the day is sold out.
local stop = state and first or math.min(first + shard.left, dayFirst + rules.perDay)
-- A user without a coupon needs no look at the limits: one command decides, and most claims are of this kind.
local short = not state and rules.perUser > 0 and rules.perUserPerDay > 0
local outcomes, items, n, from = { first .. ';' }, {}, 0, 1
for i = 1, #KEYS - 3 do
  local at, bucket = i * 15, KEYS[3 + i]
  local field, permitted = sub(packed, at - 14, at - 9), byte(packed, at) == 49
  local upTo = find(texts, '\n', from, true)
  local outcome = 'i'
  if not (short and permitted and nextSerial < stop)
    or call('HSETNX', bucket, field, packSlot(nextSerial, packed, at - 8)) == 0 then
    outcome = decide(bucket, field, sub(packed, at - 8, at - 1), permitted)
  end
  if outcome == 'i' then
    items[n + 1] = n == 0 and '[' or ',['
    items[n + 2] = format('%d', nextSerial)
    items[n + 3] = sub(texts, from, upTo - 1)
    n, nextSerial = n + 3, nextSerial + 1
  end
  outcomes[i + 1] = outcome
  from = upTo + 1
end

local issued = nextSerial - first
local body = nil
if issued > 0 then
  if second ~= shard.indexedSecond then
    indexSecond(KEYS[3], first, second)
    change('q', second)
    change('c', shard.indexed + 1)
  end
  change('s', nextSerial)
  change('l', shard.left - issued)
  change('y', shard.day)
  change('f', dayFirst)
  body = '"kind":"issue","day":' .. shard.day .. ',"items":[' .. table.concat(items) .. ']'
end
return finish(table.concat(outcomes), body)
