#!lua
-- Undoes redemptions, in part or whole. The owner has judged each by the record that it read; here it is applied if
-- nothing has changed since. Frame: includes/requests.lua.
-- A request: 1 serial, 2 order (caller/orderId), 3 "1" where permitted, 4 its item in the entry, 5 version of the
--   record read, 6 key hash, 7 payload, 8 reversal id, 9 remaining, 10 "1" where restored, 11 reversed (JSON).
-- Outcomes: "v<reversed at ms>", "s" stale.
--- @include "includes/requests.lua"

decideAll(11, function(request, page, record)
  local coupon = readCoupon(page, record, request(1), request(2))
  if not coupon then
    return 'c'
  elseif coupon.version and redis.call('HEXISTS', record, 'v:' .. request(6)) == 1 then
    return 's'
  elseif request(3) ~= '1' then
    return 'xnot_permitted'
  elseif (coupon.version or '0') ~= request(5) then
    return 's'
  elseif not coupon.redemption or (request(10) == '1' and coupon.state ~= 'r') then
    return 'xreversal_exceeds_redemption'
  end
  applyReverse(page, record, shard.number + 1, {
    serial = tonumber(request(1)), order = request(2), keyHash = request(6), payload = request(7), reversal = request(8),
    remaining = request(9), restored = request(10) == '1', reversed = request(11),
  }, shard.now)
  items[#items + 1] = request(4)
  return 'v' .. shard.now
end)
return finishItems('reverse')
