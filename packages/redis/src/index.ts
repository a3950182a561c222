export { connectRedis, type RedisConfig, type RedisConnection, whenReady } from "./connect.ts";
export { createShardCalls, type ShardCallsOptions } from "./create-shard-calls.ts";
export { RedisUnavailable } from "./errors.ts";
export { bucketsFor, keyHashOf, shardOf } from "./hashes.ts";
export { createLeases, type Leases, type Member } from "./leases.ts";
export { type Claim, createOrderGuard, type OrderGuard, type OrderTie, type TieOutcome } from "./order-guard.ts";
export * from "./shard-calls.ts";
export {
  COUPONS_IN_PAGE,
  createShardReads,
  type FullHeader,
  type HotCoupon,
  type ShardReads,
  type SlotPrint,
  type Standing,
} from "./shard-reads.ts";
