export { DatabaseFailure, describeDatabase, explainFailure, isRefusedByData, sqlStateOf } from "./failure.ts";
export { CouponCopy } from "./ledger/coupon-copy.ts";
export * from "./ledger/coupon-records.ts";
export * from "./ledger/partitions.ts";
export * from "./ledger/rows.ts";
export * from "./ledger/shard-snapshot.ts";
export { type LedgerWrite, PositionMoved, writeEntries } from "./ledger/write-entries.ts";
export { type MigrateOptions, migrate } from "./migrate.ts";
export { createPool, type Pool, type PoolOptions } from "./pool.ts";
