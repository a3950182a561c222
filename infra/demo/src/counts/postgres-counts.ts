import type { Pool } from "@coupon/database";
import type { BatchCounts, Counts } from "./counts.ts";

/** Counts the rows that the ledger has of these batches, not its running totals. */
export async function countPostgres(pool: Pool, batchNumbers: readonly number[]): Promise<Counts> {
  const counts = new Map<number, BatchCounts>();
  for (const batchNumber of batchNumbers) counts.set(batchNumber, { issued: 0, redeemed: 0 });
  const issued = await pool.query<{ batch: number; count: number }>(
    "SELECT batch, count(*) AS count FROM ledger.coupon WHERE batch = ANY ($1::integer[]) GROUP BY batch",
    [batchNumbers],
  );
  const redeemed = await pool.query<{ batch: number; count: number }>(
    `SELECT batch, count(*) AS count FROM (
       SELECT DISTINCT batch, shard, serial FROM ledger.redemption WHERE batch = ANY ($1::integer[])
     ) AS redeemed GROUP BY batch`,
    [batchNumbers],
  );
  for (const row of issued.rows) counts.set(row.batch, { issued: row.count, redeemed: 0 });
  for (const row of redeemed.rows) {
    counts.set(row.batch, { issued: counts.get(row.batch)?.issued ?? 0, redeemed: row.count });
  }
  return counts;
}
