#!lua
-- Compare-and-set of a shard's epoch; creates an empty shard where none is expected.
--   KEYS[1] header
--   ARGV[1] new epoch   ARGV[2..4] epoch, number and hash of the last entry expected; all empty: no shard, nor the
--   rest of one. Number alone would not do: while the shard was brought to it, Redis may have gone back and an owner
--   of before may have written another entry of that number (docs/recovery.md).
-- Reply: 1, or 0 where it is not as expected, with nothing changed.
if ARGV[2] == '' then
  if redis.call('EXISTS', KEYS[1]) == 1 then
    return 0
  end
  redis.call('HSET', KEYS[1], 'e', ARGV[1], 'n', 0, 'h', '', 't', 0, 's', 0, 'l', 0, 'd', 0, 'o', -1,
    'y', 0, 'f', 0, 'q', -1, 'c', 0)
  return 1
end
local found = redis.call('HMGET', KEYS[1], 'e', 'n', 'h')
if found[1] ~= ARGV[2] or found[2] ~= ARGV[3] or found[3] ~= ARGV[4] then
  return 0
end
redis.call('HSET', KEYS[1], 'e', ARGV[1])
return 1
