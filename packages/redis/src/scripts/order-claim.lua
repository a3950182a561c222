#!lua
-- Ties an order to its coupons: the first to come names them.
--   KEYS[1] the order (text: hash of its coupons)
--   ARGV[1] hash of the coupons   ARGV[2] time to live in ms
-- Reply: "first", "same", or "other" where it names others.
local named = redis.call('GET', KEYS[1])
if not named then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 'first'
elseif named ~= ARGV[1] then
  return 'other'
end
redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
return 'same'
