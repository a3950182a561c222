#!lua
-- Leases and members: who serves what, for liveness alone. Times are Redis' own.
--   KEYS[1] members (hash: process -> "<expires ms> <address>")   KEYS[2] owners (hash: partition -> "<expires ms> <process>")
--   ARGV[1] what to do   ARGV[2] process   ARGV[3] time to live in ms   ARGV[4..] as it says
--     join: ARGV[4] address                       leave
--     acquire: ARGV[4] partition -> 1 or 0        release: ARGV[4] partition
--     renew: ARGV[4..] partitions -> those that are still held
--     members -> process, address in turn         owners: ARGV[4] how many partitions -> process or nil of each
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local task, process, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])

local function live(value)
  local expires, rest = string.match(value or '', '^(%d+) (.*)$')
  return expires and tonumber(expires) > now and rest or false
end

local function keep(key, field, value)
  redis.call('HSET', key, field, string.format('%.0f', now + ttl) .. ' ' .. value)
end

local tasks = {}

function tasks.join()
  keep(KEYS[1], process, ARGV[4])
  return 1
end

function tasks.leave()
  return redis.call('HDEL', KEYS[1], process)
end

function tasks.acquire()
  local owner = live(redis.call('HGET', KEYS[2], ARGV[4]))
  if owner and owner ~= process then
    return 0
  end
  keep(KEYS[2], ARGV[4], process)
  return 1
end

function tasks.release()
  if live(redis.call('HGET', KEYS[2], ARGV[4])) ~= process then
    return 0
  end
  return redis.call('HDEL', KEYS[2], ARGV[4])
end

function tasks.renew()
  local kept = {}
  for i = 4, #ARGV do
    if live(redis.call('HGET', KEYS[2], ARGV[i])) == process then
      keep(KEYS[2], ARGV[i], process)
      kept[#kept + 1] = ARGV[i]
    end
  end
  return kept
end

function tasks.members()
  local found, reply = redis.call('HGETALL', KEYS[1]), {}
  for i = 1, #found, 2 do
    local address = live(found[i + 1])
    if address then
      reply[#reply + 1] = found[i]
      reply[#reply + 1] = address
    else
      redis.call('HDEL', KEYS[1], found[i])
    end
  end
  return reply
end

function tasks.owners()
  local reply = {}
  for partition = 0, tonumber(ARGV[4]) - 1 do
    reply[partition + 1] = live(redis.call('HGET', KEYS[2], partition))
  end
  return reply
end

return tasks[task]()
