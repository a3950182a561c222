#!lua
-- Unties an order from its coupons, unless it names others.
--   KEYS[1] the order   ARGV[1] hash of the coupons   ARGV[2] "1": only where nobody else relies on the tie
-- Reply: how many orders were untied.
if redis.call('HGET', KEYS[1], 'n') ~= ARGV[1] then
  return 0
elseif ARGV[2] == '1' and redis.call('HINCRBY', KEYS[1], 'c', -1) > 0 then
  return 0
end
return redis.call('DEL', KEYS[1])
