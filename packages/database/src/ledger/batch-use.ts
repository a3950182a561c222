import type { Queryable } from "../pool.ts";

/** How far a batch has used what was reserved for it. Money in minor units of its currency. */
export interface StoredBatchUse {
  /** Shards that have entries, and those in which nothing is issued any more. */
  shards: number;
  ended: number;
  issued: number;
  /** Coupons that may be redeemed, now or, once a reversal brings them back, again. */
  open: number;
  /** What the coupons that are over have cost. */
  overCost: number;
  /** What all coupons have cost, and what those that are out may yet take off. */
  spent: number;
  outstanding: number;
  /** Coupons that were neither swept nor are dead, or that a hold still keeps. */
  waiting: number;
  /**
   * Latest instant up to which a shard was swept that has no later entry, so that an entry from before it may still
   * come; null where there is none. Coupons of such a shard count as open.
   */
  doubtfulUntilMs: number | null;
}

/** Where all its shards have no entry, everything is 0. */
export async function readBatchUse(db: Queryable, batch: number): Promise<StoredBatchUse> {
  const { rows } = await db.query<StoredBatchUse>({
    name: "ledger-batch-use",
    text: `SELECT count(*)::integer AS shards,
        (count(*) FILTER (WHERE rules ->> 'state' IN ('ended', 'deactivated')))::integer AS ended,
        coalesce(sum(issued), 0)::bigint AS issued,
        coalesce(sum(CASE WHEN revoked THEN 0 WHEN sure THEN issued - swept - killed + deferred ELSE issued END), 0)::bigint
          AS open,
        coalesce(sum(CASE WHEN revoked THEN spent WHEN sure THEN over_cost ELSE 0 END), 0)::bigint AS "overCost",
        coalesce(sum(spent), 0)::bigint AS spent,
        coalesce(sum(outstanding), 0)::bigint AS outstanding,
        coalesce(sum(CASE WHEN revoked THEN 0 ELSE issued - swept + deferred END), 0)::bigint AS waiting,
        max(swept_until_ms) FILTER (WHERE NOT sure AND NOT revoked) AS "doubtfulUntilMs"
      FROM (
        SELECT s.issued, s.rules, coalesce(b.swept, 0) AS swept, coalesce(b.swept_until_ms, 0) AS swept_until_ms,
          coalesce(b.over_cost, 0) AS over_cost, coalesce(b.killed, 0) AS killed,
          coalesce(b.revoked, false) AS revoked, s.at_ms >= coalesce(b.swept_until_ms, 0) AS sure,
          (SELECT count(*) FROM ledger.deferred_expiry d WHERE d.batch = s.batch AND d.shard = s.shard) AS deferred,
          (SELECT coalesce(sum(amount), 0) FROM ledger.account_balance a
            WHERE a.batch = s.batch AND a.shard = s.shard AND a.account = 'cost') AS spent,
          (SELECT coalesce(-sum(amount), 0) FROM ledger.account_balance a
            WHERE a.batch = s.batch AND a.shard = s.shard AND a.account = 'liability') AS outstanding
        FROM ledger.shard s LEFT JOIN ledger.shard_books b ON b.batch = s.batch AND b.shard = s.shard
        WHERE s.batch = $1
      ) books`,
    values: [batch],
  });
  return rows[0] as StoredBatchUse;
}
