#!lua
-- Applies one logged entry to a shard that is exactly one behind, as the script that wrote it did.
--   KEYS[1] header   KEYS[2] outbox   KEYS[3] time index   KEYS[4..] as the kind says
--   ARGV[1] epoch   ARGV[2] number of the entry   ARGV[3] prev   ARGV[4] at   ARGV[5] offset   ARGV[6] text   ARGV[7] kind
--   issue: KEYS per item its user bucket; ARGV[8] day, [9] buckets that KEYS were computed with, [10] first serial,
--     [11] per item 14 bytes: user field (6), key hash (8)
--   rules: ARGV[8] as the header keeps them    debit, credit: ARGV[8] the other shard, [9] amount, [10] transfer
--   correct: ARGV[8] its id, [9] "1" where hot state is to be built anew
--   lock, redeem, release, reverse, deactivate: KEYS per item page and record; ARGV from 8 per item its fields (below)
-- Reply: 1, or 0 where the shard is not one behind, with nothing changed. A record that is cold stays so: its bits
-- alone change.
--- @include "includes/rules.lua"
--- @include "includes/time-index.lua"
--- @include "includes/coupon.lua"
--- @include "includes/corrections.lua"

local header = redis.call('HMGET', KEYS[1], 'e', 'n', 'h', 's', 'l', 'y', 'f', 'r', 'q', 'c')
local number, at = tonumber(ARGV[2]), tonumber(ARGV[4])
if header[1] ~= ARGV[1] or tonumber(header[2]) ~= number - 1 or header[3] ~= ARGV[3] then
  return 0
end
local nextSerial, left, rules = tonumber(header[4]), tonumber(header[5]), readRules(header[8])
local changes = { 'n', number, 'h', redis.sha1hex(ARGV[6]), 't', ARGV[4], 'd', number, 'o', ARGV[5] }
local function change(field, value)
  changes[#changes + 1] = field
  changes[#changes + 1] = value
end

local function redoIssue()
  local packed, count = ARGV[11], #KEYS - 3
  if not rules or rules.buckets ~= tonumber(ARGV[9]) or nextSerial ~= tonumber(ARGV[10]) then
    return false
  end
  for i = 1, count do
    local field, key = sub(packed, i * 14 - 13, i * 14 - 8), sub(packed, i * 14 - 7, i * 14)
    local bucket = KEYS[3 + i]
    local slot = redis.call('HGET', bucket, field) or ''
    redis.call('HSET', bucket, field, slot .. packSerial(nextSerial + i - 1) .. key)
  end
  local second = floor(at / 1000)
  if second ~= tonumber(header[9]) then
    indexSecond(KEYS[3], nextSerial, second)
    change('q', second)
    change('c', header[10] + 1)
  end
  if header[6] ~= ARGV[8] then
    change('f', nextSerial)
  end
  change('y', ARGV[8])
  change('s', nextSerial + count)
  change('l', left - count)
  return true
end

-- Fields of an item by kind, the width of its part of ARGV.
local FIELDS = {
  lock = { 'serial', 'user', 'order', 'payload', 'till', 'discount' },
  redeem = { 'serial', 'user', 'order', 'payload', 'discount' },
  release = { 'serial', 'user', 'order', 'held' },
  reverse = { 'serial', 'order', 'keyHash', 'payload', 'reversal', 'remaining', 'restored', 'reversed' },
  deactivate = { 'serial' },
}
local APPLY = {
  lock = applyLock,
  redeem = function(page, record, version, item)
    applyRedeem(page, record, version, item, ARGV[4])
  end,
  release = applyRelease,
  reverse = applyReverse,
  deactivate = applyDeactivate,
}

-- What the bits of a cold coupon become; nil where they stay.
local function coldBits(kind, item)
  if kind == 'redeem' then
    return 2
  elseif kind == 'deactivate' then
    return 3
  elseif kind == 'lock' or item.held or item.restored then
    return 1
  end
end

local function redoItems(kind)
  local fields = FIELDS[kind]
  for i = 1, (#KEYS - 3) / 2 do
    local item, page, record = {}, KEYS[2 + 2 * i], KEYS[3 + 2 * i]
    for n, name in ipairs(fields) do
      item[name] = ARGV[7 + (i - 1) * #fields + n]
    end
    item.held, item.restored = item.held == '1', item.restored == '1'
    if readBits(page, item.serial) ~= 0 and redis.call('EXISTS', record) == 0 then
      local bits = coldBits(kind, item)
      if bits then
        writeBits(page, item.serial, bits)
      end
    else
      APPLY[kind](page, record, number, item, at)
    end
  end
end

if ARGV[7] == 'issue' then
  if not redoIssue() then
    return 0
  end
elseif ARGV[7] == 'rules' then
  change('r', ARGV[8])
  change('l', leftUnder(readRules(ARGV[8]), rules, left))
elseif ARGV[7] == 'debit' then
  change('D' .. ARGV[8], ARGV[10] .. ' ' .. ARGV[9])
  change('l', left - ARGV[9])
elseif ARGV[7] == 'credit' then
  change('C' .. ARGV[8], ARGV[10])
  change('l', left + ARGV[9])
elseif ARGV[7] == 'correct' then
  if ARGV[9] == '1' then
    change('k', ARGV[8])
  end
  change('K', withCorrection(redis.call('HGET', KEYS[1], 'K'), ARGV[8]))
else
  redoItems(ARGV[7])
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], unpack(changes))
return 1
