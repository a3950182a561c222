#!lua
-- Ties orders to their coupons: the first to come names them. Counts who relies on each tie.
--   KEYS the orders (text: hash of the coupons, a space, requests that rely on the tie)
--   ARGV per order: hash of its coupons, time to live in ms
-- Reply: a letter an order: f first, s the same coupons, o others.
local call, match = redis.call, string.match
local letters = {}
for i = 1, #KEYS do
  local key, names, ttl = KEYS[i], ARGV[2 * i - 1], ARGV[2 * i]
  if call('SET', key, names .. ' 1', 'NX', 'PX', ttl) then
    letters[i] = 'f'
  else
    local named, count = match(call('GET', key), '^(%S+) (%d+)$')
    if named ~= names then
      letters[i] = 'o'
    else
      call('SET', key, names .. ' ' .. count + 1, 'KEEPTTL')
      call('PEXPIRE', key, ttl, 'GT')
      letters[i] = 's'
    end
  end
end
return table.concat(letters)
