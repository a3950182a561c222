--- @include "shard.lua"
--- @include "rules.lua"
--- @include "coupon.lua"

-- The frame of the scripts on coupons. KEYS after the first two: per request its record, then the pages of their bits, each
-- once, in the order in which the requests come to them.
-- ARGV after the first five: WIDTH fields per request, the first of them the serial.
-- Outcomes, one a line: "x<code>" refused, "c" cold, else as the script says.

local floor = math.floor
local rules = readRules(header[11])
local outcomes, items = {}, {}
local pages = {}

-- Calls `visit(request, page, record, i)` for every request of a coupon that exists; request(n) is its field n from 1.
local function visitAll(width, visit)
  local count, offset = (#ARGV - 5) / width, 0
  local nextPage = 3 + count
  local function request(n)
    return ARGV[offset + n]
  end
  for i = 1, count do
    offset = 5 + (i - 1) * width
    local serial = tonumber(request(1))
    local page = floor(serial / 4096)
    if not pages[page] then
      pages[page] = KEYS[nextPage]
      nextPage = nextPage + 1
    end
    if serial >= shard.next or serial < 0 then
      outcomes[i] = 'xcoupon_not_found'
    else
      visit(request, pages[page], KEYS[2 + i], i)
    end
  end
end

-- Answers every request by `decide`, which is called as `visit` above.
local function decideAll(width, decide)
  visitAll(width, function(request, page, record, i)
    outcomes[i] = decide(request, page, record, i)
  end)
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
