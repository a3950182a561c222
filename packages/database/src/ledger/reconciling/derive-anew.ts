import type { Connection, Pool } from "../../pool.ts";
import { inTransaction } from "../../transaction.ts";
import type { CouponCopy } from "../coupon-copy.ts";
import { writeFacts } from "../facts.ts";
import type { FactRows } from "../rows.ts";
import { copyCoupons } from "../write-entries.ts";
import { type BooksDerived, replaceBooks } from "./books-anew.ts";
import { type BooksSource, booksSourceOf } from "./books-reads.ts";
import type { ShardCount } from "./shard-rows.ts";

export interface DeriveAsk {
  /** The one that has the shard's entries, whatever the shard's row says. */
  partition: number;
  batch: number;
  shard: number;
  /** Coupons whose rows are written anew. */
  serials: number[];
}

/** What the log says of the coupons, and of the shard, at the position that it was asked for. */
export interface Derived {
  coupons: CouponCopy;
  facts: FactRows;
  /** Null where the log does not go back to the shard's first entry. */
  count: ShardCount | null;
  /** Null where the shard's books stay as they are. */
  books: BooksDerived | null;
}

/** The ledger's row and what was derived are not of the same entry: the log is not the one that was applied. */
export class DerivedElsewhere extends Error {
  override name = "DerivedElsewhere";
}

/**
 * Writes the rows of these coupons anew, and the shard's counters, as the log has them at the very position where
 * the partition stands: the position is locked, so that nothing is applied meanwhile. All or nothing.
 *
 * @param derive reads the log up to the position, exclusively, where the shard's last entry is `number`, and the shard's books;
 * it is called under the lock, so be quick
 * @param record is run in the same transaction
 * @returns the number of the shard's last entry
 */
export function deriveAnew(
  pool: Pool,
  ask: DeriveAsk,
  derive: (position: number, books: BooksSource, number: number) => Promise<Derived>,
  record: (connection: Pick<Pool, "query">, number: number) => Promise<void>,
): Promise<number> {
  return inTransaction(pool, "READ COMMITTED", async (connection) => {
    const { position } = await lock(connection, ask);
    // The row, too: a sweep takes it to change the books.
    const { rows } = await connection.query<{ number: number; hash: string }>(
      "SELECT number, encode(hash, 'hex') AS hash FROM ledger.shard WHERE batch = $1 AND shard = $2 FOR UPDATE",
      [ask.batch, ask.shard],
    );
    const number = rows[0]?.number ?? 0;
    const derived = await derive(position, booksSourceOf({ connection }), number);
    if (derived.count !== null && (derived.count.number !== number || derived.count.hash !== rows[0]?.hash)) {
      throw new DerivedElsewhere(`the log has entry ${derived.count.number} where the ledger has ${number}`);
    }
    await replaceCoupons(connection, ask, derived);
    // Its entries have been found in this partition.
    await connection.query(
      "UPDATE ledger.shard SET partition = $3 WHERE batch = $1 AND shard = $2 AND partition <> $3",
      [ask.batch, ask.shard, ask.partition],
    );
    if (derived.count !== null) await replaceCounters(connection, ask, derived.count);
    if (derived.books !== null) await replaceBooks(connection, ask, derived.books);
    await record(connection, number);
    return number;
  });
}

async function lock(connection: Connection, { partition }: DeriveAsk): Promise<{ position: number }> {
  const { rows } = await connection.query<{ position: number }>(
    "SELECT position FROM ledger.partition_position WHERE partition = $1 FOR UPDATE",
    [partition],
  );
  if (rows[0] === undefined) throw new Error(`the ledger has nothing of partition ${partition}`);
  return rows[0];
}

async function replaceCoupons(connection: Connection, ask: DeriveAsk, { coupons, facts }: Derived): Promise<void> {
  if (ask.serials.length === 0) return;
  for (const table of ["hold", "redemption", "reversal", "release", "deactivation", "coupon"]) {
    await connection.query(
      `DELETE FROM ledger.${table} WHERE batch = $1 AND shard = $2 AND serial = ANY ($3::integer[])`,
      [ask.batch, ask.shard, ask.serials],
    );
  }
  if (coupons.rows > 0) await copyCoupons(connection, coupons);
  await writeFacts(connection, facts);
}

async function replaceCounters(connection: Connection, { batch, shard }: DeriveAsk, count: ShardCount): Promise<void> {
  await connection.query(
    `UPDATE ledger.shard SET at_ms = $3, issued = $4, day_start_ms = $5, day_issued = $6, debited = $7, credited = $8,
      redemptions = $9, reversals = $10, restored = $11, deactivated = $12, discounted = $13, discount_reversed = $14,
      rules = $15 WHERE batch = $1 AND shard = $2`,
    [
      batch,
      shard,
      count.atMs,
      count.issued,
      count.dayStartMs,
      count.dayIssued,
      count.debited,
      count.credited,
      count.redemptions,
      count.reversals,
      count.restored,
      count.deactivated,
      count.discounted,
      count.discountReversed,
      count.rules === null ? null : JSON.stringify(count.rules),
    ],
  );
}
