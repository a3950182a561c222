import type { Pool, Queryable } from "../pool.ts";
import { inTransaction } from "../transaction.ts";
import type { BatchTerms, PostingLine } from "./posting-rows.ts";
import { insertPostings, insertTerms } from "./write-postings.ts";

/** Shards that had coupons before there were books. */
export async function readUnopenedShards(db: Queryable): Promise<{ batch: number; shard: number }[]> {
  const { rows } = await db.query<{ batch: number; shard: number }>(
    "SELECT batch, shard FROM ledger.shard_books WHERE NOT opened ORDER BY batch, shard",
  );
  return rows;
}

/** A shard as its books find it. */
export interface UnopenedShard {
  number: number;
  /** Coupons that are neither redeemed nor dead. */
  outstanding: number;
  /** What is left of the discount of each redemption, where something is. */
  redemptions: number[];
}

/**
 * Opens the books of a shard, with its lines, once: whoever comes second changes nothing. A shard that has lines was opened,
 * whatever its row says: it stays as it is, for an audit to find.
 */
export async function openShardBooks(
  pool: Pool,
  ask: { batch: number; shard: number; terms: BatchTerms; lines(shard: UnopenedShard): PostingLine[] },
): Promise<void> {
  const key = [ask.batch, ask.shard];
  await inTransaction(pool, "READ COMMITTED", async (connection) => {
    const { rows } = await connection.query<{ number: number; revoked: boolean; outstanding: number; killed: number }>(
      `SELECT number, coalesce((rules ->> 'revoked')::boolean, false) AS revoked, deactivated AS killed,
         issued - (redemptions - restored) - deactivated AS outstanding
       FROM ledger.shard WHERE batch = $1 AND shard = $2 FOR UPDATE`,
      key,
    );
    const [shard] = rows;
    const opening = await connection.query(
      `UPDATE ledger.shard_books SET opened = true WHERE batch = $1 AND shard = $2 AND NOT opened
         AND NOT EXISTS (SELECT FROM ledger.account_balance WHERE batch = $1 AND shard = $2)
         AND NOT EXISTS (SELECT FROM ledger.posting WHERE batch = $1 AND shard = $2)`,
      key,
    );
    if (shard === undefined || opening.rowCount !== 1) return;
    await connection.query("UPDATE ledger.shard_books SET revoked = $3, killed = $4 WHERE batch = $1 AND shard = $2", [
      ...key,
      shard.revoked,
      shard.killed,
    ]);
    const redemptions = await connection.query<{ cost: number }>(
      `SELECT r.discount - coalesce(v.reversed, 0) AS cost FROM ledger.redemption r LEFT JOIN (
         SELECT serial, order_id, caller_id, sum(discount)::bigint AS reversed FROM ledger.reversal
         WHERE batch = $1 AND shard = $2 GROUP BY 1, 2, 3
       ) v ON v.serial = r.serial AND v.order_id = r.order_id AND v.caller_id = r.caller_id
       WHERE r.batch = $1 AND r.shard = $2 AND r.discount > coalesce(v.reversed, 0)`,
      key,
    );
    await insertTerms(connection, [ask.terms]);
    const lines = ask.lines({
      number: shard.number,
      outstanding: shard.revoked ? 0 : shard.outstanding,
      redemptions: redemptions.rows.map(({ cost }) => cost),
    });
    await insertPostings(connection, { lines, books: [], deferred: [], undeferred: [], revoked: [] });
  });
}
