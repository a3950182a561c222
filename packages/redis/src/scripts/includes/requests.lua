--- @include "shard.lua"
--- @include "rules.lua"
--- @include "coupon.lua"

-- The frame of the scripts on coupons. KEYS after the first two: per request the page of its bits and its record.
-- ARGV after the first five: WIDTH fields per request, the first of them the serial.
-- Outcomes, one a line: "x<code>" refused, "c" cold, else as the script says.

local rules = readRules(header[11])
local outcomes, items = {}, {}

-- Answers every request by `decide(request, page, record)`, where request(n) is its field n from 1.
local function decideAll(width, decide)
  local offset
  local function request(n)
    return ARGV[offset + n]
  end
  for i = 1, (#KEYS - 2) / 2 do
    offset = 5 + (i - 1) * width
    if tonumber(request(1)) >= shard.next or tonumber(request(1)) < 0 then
      outcomes[i] = 'xcoupon_not_found'
    else
      outcomes[i] = decide(request, KEYS[1 + 2 * i], KEYS[2 + 2 * i])
    end
  end
end

-- The coupon as it stands for an order; nil where its record is cold.
local function readCoupon(page, record, serial, order)
  local bits = readBits(page, serial)
  if bits == 0 then
    return { state = 'e' }
  end
  local found = redis.call('HMGET', record, 's', 'o', 'p', 't', 'd', 'h:' .. order, 'x:' .. order, 'w')
  if not found[1] then
    return nil
  end
  local coupon = {
    state = found[1],
    redemption = found[6],
    released = tonumber(found[7] or 0) > shard.now,
    version = found[8],
  }
  if coupon.state == 'l' then
    if tonumber(found[4]) > shard.now then
      coupon.hold = { mine = found[2] == order, payload = found[3], till = tonumber(found[4]), discount = found[5] }
    else
      coupon.state = 'e'
    end
  end
  return coupon
end

local function differ(a, b)
  return a ~= '' and b ~= '' and a ~= b
end

-- The first reason, in the catalogue's order, why an order may not take the coupon anew; nil where it may.
local function refuseNew(coupon, from, till, verdict)
  if shard.now < from then
    return 'xcoupon_pending'
  elseif shard.now >= till then
    return 'xcoupon_expired'
  elseif coupon.state == 'd' or (rules and rules.revoked) then
    return 'xcoupon_deactivated'
  elseif coupon.hold then
    return 'xcoupon_locked'
  elseif coupon.state == 'r' or coupon.redemption then
    -- One order redeems a coupon once, also where it was reversed and came back.
    return 'xcoupon_redeemed'
  elseif coupon.released then
    return 'xorder_released'
  elseif verdict ~= 'discount' then
    return 'x' .. verdict
  end
end

local function finishItems(kind)
  local body = #items > 0 and '"kind":"' .. kind .. '","items":[' .. table.concat(items, ',') .. ']' or nil
  return finish(table.concat(outcomes, '\n'), body)
end
