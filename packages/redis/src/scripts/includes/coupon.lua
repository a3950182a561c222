-- What is on record of a coupon: two bits in a page of 4,096, and a hash while it is warm.
--   Bits: 0 effective with nothing on record, 1 on record, 2 redeemed, 3 deactivated.
--   Record fields: s state (e effective, l locked, r redeemed, d deactivated), u user, w number of the entry that
--   wrote it last; o order, p payload, t until ms, d discount of the hold; h:<order> redemption "payload\nms\ndiscount";
--   v:<key hash> reversal "order\npayload\nid\nms\nremaining\nrestored\nreversed"; x:<order> released until ms.
-- Bits other than 0 without a record: the record is cold. The `apply…` functions change a coupon once everything is
-- decided; live calls and redo share them, so that redo gives the same state. `at` is the entry's time, to
-- `applyRedeem` and `writeRedemption` as a text.

local RECORD_TTL_MS = '172800000'
local RELEASED_MS = 86400000
local RELEASED_MAX = 64

local function readBits(page, serial)
  return redis.call('BITFIELD_RO', page, 'GET', 'u2', '#' .. serial % 4096)[1]
end

local function writeBits(page, serial, bits)
  redis.call('BITFIELD', page, 'SET', 'u2', '#' .. serial % 4096, bits)
end

local function write(record, number, ...)
  redis.call('HSET', record, 'w', number, ...)
  redis.call('PEXPIRE', record, RECORD_TTL_MS)
end

local function endHold(record)
  redis.call('HDEL', record, 'o', 'p', 't', 'd')
end

-- Live tombstones, and the fields of those that are over.
local function readReleased(record, at)
  local fields, live, over = redis.call('HGETALL', record), 0, {}
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'x:' then
      if tonumber(fields[i + 1]) > at then
        live = live + 1
      else
        over[#over + 1] = fields[i]
      end
    end
  end
  return live, over
end

local function applyLock(page, record, number, item)
  writeBits(page, item.serial, 1)
  write(record, number, 's', 'l', 'u', item.user, 'o', item.order, 'p', item.payload, 't', item.till, 'd', item.discount)
end

local function writeRedemption(record, number, user, order, payload, at, discount)
  local redemption = payload .. '\n' .. at .. '\n' .. discount
  write(record, number, 's', 'r', 'u', user, 'h:' .. order, redemption)
end

local function applyRedeem(page, record, number, item, at)
  writeBits(page, item.serial, '2')
  endHold(record)
  writeRedemption(record, number, item.user, item.order, item.payload, at, item.discount)
end

local function applyRelease(page, record, number, item, at)
  local _, over = readReleased(record, at)
  if #over > 0 then
    redis.call('HDEL', record, unpack(over))
  end
  local state = redis.call('HGET', record, 's')
  if item.held or not state then
    writeBits(page, item.serial, 1)
    endHold(record)
    state = 'e'
  end
  write(record, number, 's', state, 'u', item.user, 'x:' .. item.order, at + RELEASED_MS)
end

local function applyReverse(page, record, number, item, at)
  local reversal = table.concat({
    item.order, item.payload, item.reversal, string.format('%.0f', at), item.remaining, item.restored and '1' or '0', item.reversed,
  }, '\n')
  write(record, number, 'v:' .. item.keyHash, reversal)
  if item.restored then
    writeBits(page, item.serial, 1)
    redis.call('HSET', record, 's', 'e')
  end
end

-- A coupon with nothing on record gets no record here: whoever asks for it next has it loaded.
local function applyDeactivate(page, record, number, item)
  writeBits(page, item.serial, 3)
  if redis.call('EXISTS', record) == 1 then
    endHold(record)
    write(record, number, 's', 'd')
  end
end
