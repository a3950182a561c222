#!lua
-- Gives holds back. An order that holds nothing leaves a tombstone for a day, so that its lock, when it arrives
-- late, is refused. Frame: includes/requests.lua.
-- A request: 1 serial, 2 user, 3 order (caller/orderId), 4 "1" where permitted, 5 the start of its item in the
--   entry, `{"serial":1,"userId":"…","callerId":"…","orderId":"…"`.
-- Outcomes: "e", "l", "r" or "d": the state that the coupon is in now; after a "u" where the order has redeemed it.
--- @include "includes/requests.lua"

decideAll(5, function(request, page, record)
  local coupon = readCoupon(page, record, request(1), request(3))
  if not coupon then
    return 'c'
  end
  if coupon.redemption then
    return 'u' .. coupon.state
  end
  -- An order that has a tombstone holds nothing: its lock was refused.
  if coupon.released or coupon.state == 'd' then
    return coupon.state
  end
  local held = coupon.hold ~= nil and coupon.hold.mine
  if request(4) ~= '1' then
    return 'xnot_permitted'
  elseif not held and readReleased(record, shard.now) >= RELEASED_MAX then
    -- A release is never refused for its number; beyond so many in a day no more are remembered.
    return coupon.state
  end
  applyRelease(page, record, shard.number + 1, {
    serial = tonumber(request(1)), user = request(2), order = request(3), held = held,
  }, shard.now)
  items[#items + 1] = request(5) .. ',"held":' .. tostring(held) .. '}'
  return held and 'e' or coupon.state
end)
return finishItems('release')
