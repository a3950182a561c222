#!lua
-- Unties an order from its coupons, unless it names others.
--   KEYS[1] the order   ARGV[1] hash of the coupons
-- Reply: how many orders were untied.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
