import type { Queryable } from "../pool.ts";

/** Totals of a batch over all its shards. Money in minor units of the batch's currency. */
export interface BatchTotals {
  issued: number;
  redemptions: number;
  reversals: number;
  /** Coupons that came back with a reversal. */
  restored: number;
  /** Coupons killed one by one. */
  deactivated: number;
  discounted: number;
  discountReversed: number;
}

/** Kept up to date with every entry, so reading them takes no counting. All 0 for a batch without entries. */
export async function readBatchTotals(db: Queryable, batch: number): Promise<BatchTotals> {
  const { rows } = await db.query<BatchTotals>({
    name: "ledger-batch-totals",
    text: `SELECT coalesce(sum(issued), 0)::bigint AS issued, coalesce(sum(redemptions), 0)::bigint AS redemptions,
        coalesce(sum(reversals), 0)::bigint AS reversals, coalesce(sum(restored), 0)::bigint AS restored,
        coalesce(sum(deactivated), 0)::bigint AS deactivated, coalesce(sum(discounted), 0)::bigint AS discounted,
        coalesce(sum(discount_reversed), 0)::bigint AS "discountReversed"
      FROM ledger.shard WHERE batch = $1`,
    values: [batch],
  });
  return rows[0] as BatchTotals;
}

/** How many of the batch's coupons issued at `sinceMs` or later are neither redeemed nor deactivated. Reads them all. */
export async function countOutstanding(db: Queryable, batch: number, sinceMs: number): Promise<number> {
  const { rows } = await db.query<{ outstanding: number }>({
    name: "ledger-outstanding",
    text: `SELECT count(*) AS outstanding FROM ledger.coupon
      WHERE batch = $1 AND issued_at_ms >= $2 AND state IN (0, 1, 2)`,
    values: [batch, sinceMs],
  });
  return rows[0]?.outstanding ?? 0;
}
