--- @include "clock.lua"

-- The frame of every script that may write an entry.
--   KEYS[1] header (hash)    KEYS[2] outbox (list of entry texts)
--   ARGV[1] epoch expected   ARGV[2] hash of the last entry expected, "" before the first: the hash stands for the
--     entry's number and all before it, so that what this call goes on from is just what its owner knows
--   ARGV[3] durable number   ARGV[4] offset of the durable entry
--   ARGV[5] the start of an entry's text: {"v":1,"batch":7,"shard":0,"number":
-- Reply: {'mismatch', epoch, number} where the shard is not as expected, with nothing changed; else
--   {'applied', number, time in ms, outcomes as one text, text of the entry or nil, hash of the last entry}.
--
-- Header fields: e epoch, n number, h SHA-1 of the last entry's text, t its time, s next serial, l stock left,
--   d durable number, o its offset, y start of the day counted, f first serial of that day, r rules,
--   q last second in the time index, c records in the time index, off clock offset (tests),
--   k id of the last correction that asks for hot state to be built anew, until it is,
--   K ids of the last corrections (corrections.lua),
--   D<shard> last transfer to it and its amount, a space between; C<shard> last transfer from it,
--   token, p: a load in progress (see load-begin.lua); such a shard has no e and matches nothing.

local header = redis.call('HMGET', KEYS[1], 'e', 'n', 'h', 't', 's', 'l', 'd', 'o', 'y', 'f', 'r', 'q', 'c', 'off')
if not header[1] or header[1] ~= ARGV[1] or header[3] ~= ARGV[2] then
  return { 'mismatch', header[1], header[1] and header[2] }
end

local shard = {
  number = tonumber(header[2]),
  next = tonumber(header[5]),
  left = tonumber(header[6]),
  durable = tonumber(header[7]),
  day = tonumber(header[9]),
  dayFirst = tonumber(header[10]),
  indexedSecond = tonumber(header[12]),
  indexed = tonumber(header[13]),
  now = shardTime(header[4], header[14]),
}
if tonumber(ARGV[3]) > shard.number then
  return redis.error_reply('ERR durable is beyond the last entry')
end

-- Fields of the header to be written, once, when the script ends.
local changes = {}
local function change(field, value)
  changes[#changes + 1] = field
  changes[#changes + 1] = value
end

-- Ends the script: writes the entry whose text ends in `body` (nil: nothing changed), and trims what is durable. In this
-- order, for an outbox that is trimmed to nothing is no key any more: where its slot is being moved away, to write it
-- again would fail in the middle of the script.
local function finish(outcomes, body)
  local text, hash = false, header[3]
  if body then
    shard.number = shard.number + 1
    text = table.concat({ ARGV[5], shard.number, ',"at":', shard.now, ',"prev":"', header[3], '",', body, '}' })
    redis.call('RPUSH', KEYS[2], text)
    hash = redis.sha1hex(text)
    change('n', shard.number)
    change('h', hash)
    change('t', shard.now)
  end
  local trimmed = tonumber(ARGV[3]) - shard.durable
  if trimmed > 0 then
    redis.call('LTRIM', KEYS[2], trimmed, -1)
    change('d', ARGV[3])
    change('o', ARGV[4])
  end
  if #changes > 0 then
    redis.call('HSET', KEYS[1], unpack(changes))
  end
  return { 'applied', shard.number, shard.now, outcomes, text, hash }
end
