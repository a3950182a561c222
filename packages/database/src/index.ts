export {
  DatabaseFailure,
  describeDatabase,
  explainFailure,
  isRefusedByData,
  isUnavailable,
  sqlStateOf,
} from "./failure.ts";
export * from "./ledger/batch-totals.ts";
export * from "./ledger/batch-use.ts";
export { CouponCopy } from "./ledger/coupon-copy.ts";
export * from "./ledger/coupon-reads.ts";
export * from "./ledger/coupon-records.ts";
export * from "./ledger/open-books.ts";
export * from "./ledger/order-reads.ts";
export * from "./ledger/order-ties.ts";
export * from "./ledger/partitions.ts";
export * from "./ledger/posting-reads.ts";
export * from "./ledger/posting-rows.ts";
export * from "./ledger/reconciling/audit-snapshot.ts";
export type { BooksDerived } from "./ledger/reconciling/books-anew.ts";
export * from "./ledger/reconciling/books-reads.ts";
export * from "./ledger/reconciling/derive-anew.ts";
export * from "./ledger/reconciling/shard-rows.ts";
export { readStrayRows, type StrayRows } from "./ledger/reconciling/stray-rows.ts";
export * from "./ledger/rows.ts";
export * from "./ledger/shard-snapshot.ts";
export * from "./ledger/sweep-shard.ts";
export { type LedgerWrite, PositionMoved, writeEntries } from "./ledger/write-entries.ts";
export { type MigrateOptions, migrate } from "./migrate.ts";
export { createPool, ledgerSettings, type Pool, type PoolOptions, type Queryable } from "./pool.ts";
