-- Orders' ties. All of a hash tag's are in one of two conditions, which the tag's mark tells:
--   mark = run id of this server: every order that holds or has used a coupon is tied here;
--   mark = anything else, or none: ties may be missing or of the past. Redis was emptied, or went back, or this is
--     another server than the one that was marked. A restart alone looks like that, too.
-- A tie: hash of the coupons, requests that rely on it, stamp (the start of the run id), with a space between. One with
-- another stamp was made before, and stands for nothing unless it is made anew.

local call, match = redis.call, string.match
local runId = match(call('INFO', 'server'), 'run_id:(%x+)')
local stamp = string.sub(runId, 1, 12)

-- Whom the order is tied to, and how many rely on it; nil where there is no tie that stands.
local function readTie(key)
  local names, count, of = match(call('GET', key) or '', '^(%S+) (%d+) (%S+)$')
  if of == stamp then
    return names, tonumber(count)
  end
end

local function writeTie(key, names, ttl)
  call('SET', key, names .. ' 1 ' .. stamp, 'PX', ttl)
end
