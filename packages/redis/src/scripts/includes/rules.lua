-- Rules as the header keeps them: version, state, revoked (0 or 1), fromMs, untilMs, allotment, perDay, perUser,
-- perUserPerDay, buckets, with a space between; "-" where a day is not limited.
local function readRules(text)
  if not text then
    return nil
  end
  local version, state, revoked, from, till, allotment, perDay, perUser, perUserPerDay, buckets = string.match(
    text, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$'
  )
  return {
    version = tonumber(version),
    state = state,
    revoked = revoked == '1',
    from = tonumber(from),
    till = tonumber(till),
    allotment = tonumber(allotment),
    perDay = tonumber(perDay) or math.huge,
    perUser = tonumber(perUser),
    perUserPerDay = tonumber(perUserPerDay) or math.huge,
    buckets = tonumber(buckets),
  }
end

-- New rules move the stock left by what the allotment grew. Below 0, more is issued than allotted: the debt has to
-- be filled (by more stock or a transfer) before anything is issued again.
local function leftUnder(rules, before, left)
  return left + rules.allotment - (before and before.allotment or 0)
end
