-- Orders' ties. All of a hash tag's are in one of two conditions, which the tag's mark tells:
--   mark = run id of this server: every order that holds or has used a coupon is tied here;
--   mark = anything else, or none: ties may be missing or of the past. Redis was emptied, or went back, or this is
--     another server than the one that was marked. A restart alone looks like that, too.
-- A tie: hash of the coupons, how many claims on it last as long as its key (one, but of ties of old), stamp (the start of
-- the run id), and until when in ms each other claim lasts, with a space between. One with another stamp was made before,
-- and stands for nothing unless it is made anew.

local call, match = redis.call, string.match
local runId = match(call('INFO', 'server'), 'run_id:(%x+)')
local stamp = string.sub(runId, 1, 12)

local UNTILS_MAX = 8

-- Whom the order is tied to, and until when by each claim on it, the longest first; nil where there is no tie that stands.
local function readTie(key)
  local names, count, of, others = match(call('GET', key) or '', '^(%S+) (%d+) (%S+)(.*)$')
  if of ~= stamp then
    return nil
  end
  local untils, last = {}, call('PEXPIRETIME', key)
  for i = 1, tonumber(count) do
    untils[i] = last
  end
  if others ~= '' then
    for till in string.gmatch(others, '%d+') do
      untils[#untils + 1] = tonumber(till)
    end
  end
  return names, untils
end

-- Ties for as long as the longest claim lasts, which is the first. Of more than UNTILS_MAX the two shortest become one that nobody gives back,
-- for it ends a millisecond after either.
local function writeTie(key, names, untils)
  while #untils > UNTILS_MAX do
    table.remove(untils)
    untils[#untils] = untils[#untils] + 1
  end
  local value = names .. ' 1 ' .. stamp
  for i = 2, #untils do
    value = value .. ' ' .. string.format('%.0f', untils[i])
  end
  call('SET', key, value, 'PXAT', string.format('%.0f', untils[1]))
end
