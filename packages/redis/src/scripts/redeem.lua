#!lua
-- Redeems coupons for orders: what the order holds, or, with an order given, lock and redeem in one step.
-- Frame: includes/requests.lua.
-- A request: 1 serial, 2 user, 3 order (caller/orderId), 4 "1" where permitted, 5 the start of its item in the
--   entry, `{"serial":1,"userId":"…","callerId":"…","orderId":"…"`, 6 payload of the order given, "" where none is (and
--   then 9, too), 7 valid from ms, 8 valid until ms, 9 discount (JSON), or the refusal that is in its place.
-- Outcomes: "g<redeemed at ms>" with the discount given, else "r<1 where replayed, else 0> <redeemed at ms> <discount>".
--- @include "includes/requests.lua"

-- Texts, for Redis turns every number that it is given into one.
local number, now = string.format('%.0f', shard.number + 1), string.format('%.0f', shard.now)

local function addItem(request, payload, discount)
  items[#items + 1] = request(5) .. ',"payload":"' .. payload .. '","discount":' .. discount .. '}'
end

local function redeem(request, page, record, payload, discount)
  applyRedeem(page, record, number, {
    serial = tonumber(request(1)), user = request(2), order = request(3), payload = payload, discount = discount,
  }, now)
  addItem(request, payload, discount)
  return 'r0 ' .. now .. ' ' .. discount
end

local function hasDiscount(request)
  return string.byte(request(9)) == 123
end

-- Most redemptions are of a coupon with nothing on record, in one step. One command on each page of bits decides them
-- all; where the bits were others they are put back, and the coupon is looked at. Of several requests for one coupon only
-- the first can be among them: what the others meet is what it has left.
local isFresh = {}
local function takeFresh()
  local named, taken = {}, {}
  visitAll(9, function(request, page, _, i)
    local serial = request(1)
    if not named[serial] and request(4) == '1' and request(6) ~= '' and hasDiscount(request)
      and shard.now >= tonumber(request(7)) and shard.now < tonumber(request(8)) then
      local group = taken[page]
      if not group then
        group = { commands = {}, serials = {}, requests = {} }
        taken[page] = group
      end
      local commands, n = group.commands, #group.commands
      commands[n + 1], commands[n + 2], commands[n + 3], commands[n + 4] = 'SET', 'u2', '#' .. serial % 4096, '2'
      group.serials[#group.serials + 1] = serial
      group.requests[#group.requests + 1] = i
    end
    named[serial] = true
  end)
  for page, group in pairs(taken) do
    local before = redis.call('BITFIELD', page, unpack(group.commands))
    for n, bits in ipairs(before) do
      if bits == 0 then
        isFresh[group.requests[n]] = true
      else
        writeBits(page, group.serials[n], bits)
      end
    end
  end
end

if not (rules and rules.revoked) then
  takeFresh()
end
local fresh = 'g' .. now

decideAll(9, function(request, page, record, i)
  if isFresh[i] then
    writeRedemption(record, number, request(2), request(3), request(6), now, request(9))
    addItem(request, request(6), request(9))
    return fresh
  end
  local coupon = readCoupon(page, record, request(1), request(3))
  if not coupon then
    return 'c'
  end
  local payload = request(6)
  if coupon.redemption then
    local first, at, discount = string.match(coupon.redemption, '^(.-)\n(.-)\n(.*)$')
    return differ(first, payload) and 'xidempotency_conflict' or 'r1 ' .. at .. ' ' .. discount
  end
  local held = coupon.hold
  if held and held.mine then
    if differ(held.payload, payload) then
      return 'xidempotency_conflict'
    elseif request(4) ~= '1' then
      return 'xnot_permitted'
    elseif rules and rules.revoked then
      return 'xcoupon_deactivated'
    end
    return redeem(request, page, record, held.payload, held.discount)
  end
  if request(4) ~= '1' then
    return 'xnot_permitted'
  end
  local verdict = hasDiscount(request) and 'discount' or request(9)
  if payload == '' then
    -- Nothing can be redeemed, and that the order holds nothing stands before its having released the coupon.
    coupon.released, verdict = false, 'hold_ended'
  end
  return refuseNew(coupon, tonumber(request(7)), tonumber(request(8)), verdict)
    or redeem(request, page, record, payload, request(9))
end)
return finishItems('redeem')
