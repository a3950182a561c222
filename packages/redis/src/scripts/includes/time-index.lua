--- @include "numbers.lua"

-- When each serial was issued, to the second: a text of 8-byte records (first serial issued in a second, that
-- second), ascending, written only when the second changes. Serials are dense and time never goes back, so that a
-- binary search finds any coupon's second; a slot need not hold it (3 to 4 bytes a coupon saved at promotion speed).

local function indexSecond(index, serial, second)
  redis.call('APPEND', index, packUint32(serial) .. packUint32(second))
end

local function secondOf(index, records, serial)
  local low, high, second = 1, records, nil
  while low <= high do
    local middle = floor((low + high) / 2)
    local record = redis.call('GETRANGE', index, middle * 8 - 8, middle * 8 - 1)
    if readUint32(record, 1) <= serial then
      second = readUint32(record, 5)
      low = middle + 1
    else
      high = middle - 1
    end
  end
  return second
end
