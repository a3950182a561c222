#!lua
-- Redeems coupons for orders: what the order holds, or, with an order given, lock and redeem in one step.
-- Frame: includes/requests.lua.
-- A request: 1 serial, 2 user, 3 order (caller/orderId), 4 "1" where permitted, 5 the start of its item in the
--   entry, `{"serial":1,"userId":"…","callerId":"…","orderId":"…"`, 6 "1" where an order is given (the rest is empty
--   where not), 7 payload, 8 valid from ms, 9 valid until ms, 10 verdict ("discount" or its refusal), 11 discount.
-- Outcomes: "g<redeemed at ms>" with the discount given, else "r<1 where replayed, else 0> <redeemed at ms> <discount>".
--- @include "includes/requests.lua"

local function addItem(request, payload, discount)
  items[#items + 1] = request(5) .. ',"payload":"' .. payload .. '","discount":' .. discount .. '}'
end

local function redeem(request, page, record, payload, discount)
  applyRedeem(page, record, shard.number + 1, {
    serial = tonumber(request(1)), user = request(2), order = request(3), payload = payload, discount = discount,
  }, shard.now)
  addItem(request, payload, discount)
  return 'r0 ' .. shard.now .. ' ' .. discount
end

-- Most redemptions are of a coupon with nothing on record, in one step: one command on its bits decides. Where they
-- were others they are put back, and the coupon is looked at.
local isOpen = not (rules and rules.revoked)
local fresh = 'g' .. shard.now
local function redeemFresh(request, page, record)
  if not (isOpen and request(4) == '1' and request(6) == '1' and request(10) == 'discount')
    or shard.now < tonumber(request(8)) or shard.now >= tonumber(request(9)) then
    return
  end
  local bits = swapBits(page, request(1), 2)
  if bits ~= 0 then
    writeBits(page, request(1), bits)
    return
  end
  writeRedemption(record, shard.number + 1, request(2), request(3), request(7), shard.now, request(11))
  addItem(request, request(7), request(11))
  return fresh
end

-- Without an order and without a hold in time: nothing can be redeemed, and the reason is the foremost that applies.
local function refuseBare(coupon)
  if coupon.state == 'd' or (rules and rules.revoked) then
    return 'xcoupon_deactivated'
  elseif coupon.hold then
    return 'xcoupon_locked'
  elseif coupon.state == 'r' then
    return 'xcoupon_redeemed'
  end
  return 'xhold_ended'
end

decideAll(11, function(request, page, record)
  local outcome = redeemFresh(request, page, record)
  if outcome then
    return outcome
  end
  local coupon = readCoupon(page, record, request(1), request(3))
  if not coupon then
    return 'c'
  end
  local given, payload = request(6) == '1', request(7)
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
  elseif not given then
    return refuseBare(coupon)
  end
  return refuseNew(coupon, tonumber(request(8)), tonumber(request(9)), request(10))
    or redeem(request, page, record, payload, request(11))
end)
return finishItems('redeem')
