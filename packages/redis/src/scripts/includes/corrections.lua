-- The ids of the shard's last corrections, the latest last, a space between: one is not written twice, however often and
-- late it is sent. Each has been approved by hand, so that none of these is still on its way when so many have followed.
local CORRECTIONS_MAX = 16

local function isWritten(list, id)
  return string.find(' ' .. (list or '') .. ' ', ' ' .. id .. ' ', 1, true) ~= nil
end

local function withCorrection(list, id)
  local ids = {}
  for each in string.gmatch(list or '', '%S+') do
    ids[#ids + 1] = each
  end
  ids[#ids + 1] = id
  return table.concat(ids, ' ', math.max(1, #ids - CORRECTIONS_MAX + 1))
end
