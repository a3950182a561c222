-- Fixed-width big-endian integers, and serials in as few bytes as they need.
-- A serial below 0xC00000 takes 3 bytes; one above takes 4, the first of them 0xC0 or more, up to 2^30 - 1.

local byte, char, floor, sub = string.byte, string.char, math.floor, string.sub

local function packUint32(value)
  return char(floor(value / 16777216), floor(value / 65536) % 256, floor(value / 256) % 256, value % 256)
end

local function readUint32(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

local function packSerial(serial)
  if serial < 12582912 then
    return char(floor(serial / 65536), floor(serial / 256) % 256, serial % 256)
  end
  return char(192 + floor(serial / 16777216), floor(serial / 65536) % 256, floor(serial / 256) % 256, serial % 256)
end

-- The serial followed by the 8 bytes of `text` from `at`. Made at one stroke, without a text in between and without
-- calls for arithmetic: that makes the whole of a claim about a tenth cheaper.
local function packSlot(serial, text, at)
  if serial >= 12582912 then
    return packSerial(serial) .. sub(text, at, at + 7)
  end
  local low = serial % 256
  local rest = (serial - low) / 256
  local middle = rest % 256
  return char((rest - middle) / 256, middle, low, byte(text, at, at + 7))
end

-- The serial that starts at `at`, and where what follows it starts.
local function readSerial(text, at)
  local a, b, c, d = byte(text, at, at + 3)
  if a < 192 then
    return (a * 256 + b) * 256 + c, at + 3
  end
  return (((a - 192) * 256 + b) * 256 + c) * 256 + d, at + 4
end
