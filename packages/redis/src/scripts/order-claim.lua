#!lua
-- Ties an order to its coupons: the first to come names them. Counts who relies on the tie.
--   KEYS[1] the order (hash: n hash of its coupons, c requests that rely on it)
--   ARGV[1] hash of the coupons   ARGV[2] time to live in ms
-- Reply: "first", "same", or "other" where it names others.
local named = redis.call('HGET', KEYS[1], 'n')
if not named then
  redis.call('HSET', KEYS[1], 'n', ARGV[1], 'c', 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 'first'
elseif named ~= ARGV[1] then
  return 'other'
end
redis.call('HINCRBY', KEYS[1], 'c', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
return 'same'
