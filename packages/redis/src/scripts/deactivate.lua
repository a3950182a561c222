#!lua
-- Kills coupons; a hold ends with it. Frame: includes/requests.lua.
-- A request: 1 serial, 2 its item in the entry.
-- Outcomes: "d" deactivated, now or before.
--- @include "includes/requests.lua"

decideAll(2, function(request, page, record)
  local serial = tonumber(request(1))
  local bits = readBits(page, serial)
  if bits == 2 then
    return 'xcoupon_redeemed'
  elseif bits ~= 3 then
    applyDeactivate(page, record, shard.number + 1, { serial = serial })
    items[#items + 1] = request(2)
  end
  return 'd'
end)
return finishItems('deactivate')
