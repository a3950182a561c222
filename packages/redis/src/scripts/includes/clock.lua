-- The shard's time in milliseconds: Redis' clock, never before the shard's last entry.
-- `offset` is stepped by tests alone; it is absent in production.
local function shardTime(last, offset)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(offset or 0)
  return math.max(tonumber(last), now)
end
