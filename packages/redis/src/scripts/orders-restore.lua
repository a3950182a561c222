#!lua
-- Restores the ties of one tag.
--   KEYS[1] the tag's mark   KEYS[2..] orders of that tag
--   ARGV[1] what is done   ARGV[2] token   ARGV[3] for so long in ms others leave it to this one
--   put: ARGV[4..] per order hash of its coupons, time to live in ms. A tie made since the loss is left alone.
--   finish: from here on the tag's ties are complete.
-- Reply: of begin "complete" where nothing is to be done, "busy" where somebody else is at it, else "begun"; of put and
--   finish "begun", or "lost" where Redis is not the same any more, or somebody else is at it.
--- @include "includes/orders.lua"

local mark, own = call('GET', KEYS[1]), 'restoring ' .. runId .. ' ' .. ARGV[2]
if ARGV[1] == 'begin' then
  if mark == runId then
    return 'complete'
  elseif mark ~= own and mark and match(mark, '^restoring ' .. runId) then
    return 'busy'
  end
  call('SET', KEYS[1], own, 'PX', ARGV[3])
  return 'begun'
elseif mark ~= own then
  return 'lost'
elseif ARGV[1] == 'finish' then
  call('SET', KEYS[1], runId)
  return 'begun'
end
for i = 2, #KEYS do
  if not readTie(KEYS[i]) then
    call('SET', KEYS[i], ARGV[2 * i] .. ' 1 ' .. stamp, 'PX', ARGV[2 * i + 1])
  end
end
call('PEXPIRE', KEYS[1], ARGV[3])
return 'begun'
