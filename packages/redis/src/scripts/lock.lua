#!lua
-- Holds coupons for orders. Frame: includes/requests.lua.
-- A request: 1 serial, 2 user, 3 order (caller/orderId), 4 "1" where permitted, 5 the start of its item in the
--   entry, `{"serial":1,"userId":"…","callerId":"…","orderId":"…"`, 6 payload, 7 hold in ms, 8 valid from ms,
--   9 valid until ms, 10 verdict ("discount" or its refusal), 11 discount (JSON).
-- Outcomes: "l<1 where replayed, else 0> <until ms> <discount>".
--- @include "includes/requests.lua"

local function hold(request, page, record, payload, till, discount, replayed)
  applyLock(page, record, shard.number + 1, {
    serial = tonumber(request(1)), user = request(2), order = request(3), payload = payload, till = till, discount = discount,
  })
  items[#items + 1] = request(5) .. ',"payload":"' .. payload .. '","untilMs":' .. till .. ',"discount":' .. discount .. '}'
  return 'l' .. replayed .. ' ' .. till .. ' ' .. discount
end

decideAll(11, function(request, page, record)
  local coupon = readCoupon(page, record, request(1), request(3))
  if not coupon then
    return 'c'
  end
  local permitted, till = request(4) == '1', shard.now + tonumber(request(7))
  local from, untilValid = tonumber(request(8)), tonumber(request(9))
  local held = coupon.hold
  if held and held.mine then
    if differ(held.payload, request(6)) then
      return 'xidempotency_conflict'
    end
    -- A later deadline is new: it takes what a new hold takes, else the hold stays as it is.
    local valid = shard.now < untilValid and not (rules and rules.revoked)
    if till > held.till and permitted and valid then
      return hold(request, page, record, held.payload, till, held.discount, 1)
    end
    return 'l1 ' .. held.till .. ' ' .. held.discount
  end
  if not permitted then
    return 'xnot_permitted'
  end
  return refuseNew(coupon, from, untilValid, request(10))
    or hold(request, page, record, request(6), till, request(11), 0)
end)
return finishItems('lock')
