import type { Queryable } from "../../pool.ts";
import { readable } from "./readable.ts";

/** Tables of a shard's rows that lead with batch and shard in an index. */
const tables = [
  "coupon",
  "hold",
  "redemption",
  "reversal",
  "release",
  "deactivation",
  "rules_history",
  "transfer",
  "account_balance",
  "shard_books",
  "deferred_expiry",
  "correction",
  "posting_correction",
] as const;

/** Rows of a shard that `ledger.shard` has no row of. */
export interface StrayRows {
  batch: number;
  shard: number;
  tables: string[];
}

/**
 * Finds rows whose shard has no row. A row and its shard's are written together, so any moment shows them alike.
 *
 * @param batch null: of all batches
 * @throws DatabaseFailure where the server can't be reached or has fallen silent
 */
export function readStrayRows(db: Queryable, batch: number | null): Promise<StrayRows[]> {
  return readable(strayRows(db, batch));
}

async function strayRows(db: Queryable, batch: number | null): Promise<StrayRows[]> {
  const strays = new Map<string, StrayRows>();
  const add = (table: string, rows: { batch: number; shard: number }[]) => {
    for (const each of rows) {
      if (batch !== null && each.batch !== batch) continue;
      const key = `${each.batch}.${each.shard}`;
      const stray = strays.get(key) ?? { batch: each.batch, shard: each.shard, tables: [] };
      stray.tables.push(table);
      strays.set(key, stray);
    }
  };
  for (const table of tables) add(table, (await db.query<Key>(skipping(table))).rows);
  const batches = batch === null ? (await db.query<{ batch: number }>(POSTED_BATCHES)).rows : [{ batch }];
  for (const each of batches) add("posting", (await db.query<Key>(STRAY_POSTINGS, [each.batch])).rows);
  return [...strays.values()];
}

type Key = { batch: number; shard: number };

/** Goes from shard to shard through the index, for the tables are of many millions of rows. */
const skipping = (table: (typeof tables)[number]) => `WITH RECURSIVE each AS (
    (SELECT batch, shard FROM ledger.${table} ORDER BY batch, shard LIMIT 1)
    UNION ALL SELECT n.batch, n.shard FROM each e, LATERAL (SELECT t.batch, t.shard FROM ledger.${table} t
      WHERE (t.batch, t.shard) > (e.batch, e.shard) ORDER BY t.batch, t.shard LIMIT 1) n
  ) SELECT batch, shard FROM each e
  WHERE NOT EXISTS (SELECT FROM ledger.shard s WHERE s.batch = e.batch AND s.shard = e.shard)`;

const POSTED_BATCHES = `WITH RECURSIVE each AS (
    (SELECT batch FROM ledger.posting ORDER BY batch LIMIT 1)
    UNION ALL SELECT n.batch FROM each e, LATERAL (SELECT t.batch FROM ledger.posting t
      WHERE t.batch > e.batch ORDER BY t.batch LIMIT 1) n
  ) SELECT batch FROM each`;

const STRAY_POSTINGS = `SELECT DISTINCT p.batch, p.shard FROM ledger.posting p
  WHERE p.batch = $1 AND NOT EXISTS (SELECT FROM ledger.shard s WHERE s.batch = p.batch AND s.shard = p.shard)`;
