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
  "posting",
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

/** Shards of a table that one statement goes through. */
const STEP = 4_096;
const BATCH_MAX = 2 ** 31 - 1;
const SHARD_MAX = 2 ** 15 - 1;

async function strayRows(db: Queryable, batch: number | null): Promise<StrayRows[]> {
  const strays = new Map<string, StrayRows>();
  for (const table of tables) {
    for await (const each of straysOf(db, table, batch)) {
      const key = `${each.batch}.${each.shard}`;
      const stray = strays.get(key) ?? { ...each, tables: [] };
      stray.tables.push(table);
      strays.set(key, stray);
    }
  }
  return [...strays.values()];
}

type Key = { batch: number; shard: number };

async function* straysOf(db: Queryable, table: (typeof tables)[number], batch: number | null): AsyncGenerator<Key> {
  const until = batch ?? BATCH_MAX;
  let after: Key | null = batch === null ? { batch: -BATCH_MAX, shard: 0 } : { batch: batch - 1, shard: SHARD_MAX };
  while (after !== null) {
    const { rows }: { rows: { strays: Key[]; last: Key | null }[] } = await db.query(skipping(table), [
      ...[after.batch, after.shard, until, STEP],
    ]);
    yield* rows[0]?.strays ?? [];
    after = rows[0]?.last ?? null;
  }
}

/**
 * Goes from shard to shard through the index, for the tables are of many millions of rows; and so many shards at a time, for
 * there are many of them, too.
 */
const skipping = (table: (typeof tables)[number]) => `WITH RECURSIVE each AS (
    (SELECT batch, shard, 1 AS step FROM ledger.${table} WHERE (batch, shard) > ($1::integer, $2::smallint)
      AND batch <= $3 ORDER BY batch, shard LIMIT 1)
    UNION ALL SELECT n.batch, n.shard, e.step + 1 FROM each e, LATERAL (SELECT t.batch, t.shard FROM ledger.${table} t
      WHERE (t.batch, t.shard) > (e.batch, e.shard) AND t.batch <= $3 ORDER BY t.batch, t.shard LIMIT 1) n
    WHERE e.step < $4::integer
  ) SELECT
    (SELECT coalesce(json_agg(json_build_object('batch', e.batch, 'shard', e.shard)), '[]') FROM each e
      WHERE NOT EXISTS (SELECT FROM ledger.shard s WHERE s.batch = e.batch AND s.shard = e.shard)) AS strays,
    (SELECT json_build_object('batch', e.batch, 'shard', e.shard) FROM each e WHERE e.step = $4::integer) AS last`;
