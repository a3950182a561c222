import type { Connection } from "../../pool.ts";
import type { BatchTerms } from "../posting-rows.ts";
import type { AccountBalance, JournalLine, StoredTransfer } from "./books-reads.ts";

/** What a correction makes of a shard's books. The journal gets lines; what is derived from it, or from the log, is replaced. */
export interface BooksDerived {
  /** The entry that carries the correction. */
  correctionNumber: number;
  /** Lines that set the journal right. */
  lines: Omit<JournalLine, "postingId" | "corrected">[];
  /** Null where it is not known what they must be. */
  balances: AccountBalance[] | null;
  counters: { killed: number; overCost: number; revoked: boolean } | null;
  deferred: { added: number[]; removed: number[] };
  /** Those of the entry `from` and later. */
  transfers: { from: number; rows: StoredTransfer[] };
  terms: BatchTerms | null;
}

type Shard = { batch: number; shard: number };

/** The shard's row must be held. */
export async function replaceBooks(connection: Connection, at: Shard, books: BooksDerived): Promise<void> {
  const key = [at.batch, at.shard];
  const run = (text: string, ...values: unknown[]) => connection.query(text, [...key, ...values]);
  await postLines(connection, at, books);
  if (books.balances !== null) {
    await run("DELETE FROM ledger.account_balance WHERE batch = $1 AND shard = $2");
    await run(
      `INSERT INTO ledger.account_balance (batch, shard, event, account, party, amount, coupons)
       SELECT $1::integer, $2::smallint, event, account, party, amount, coupons
       FROM json_to_recordset($3) AS r (event text, account text, party text, amount bigint, coupons bigint)`,
      JSON.stringify(books.balances),
    );
  }
  if (books.counters !== null) {
    const { killed, overCost, revoked } = books.counters;
    await run(
      `INSERT INTO ledger.shard_books (batch, shard, killed, over_cost, revoked) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (batch, shard) DO UPDATE SET killed = $3, over_cost = $4, revoked = $5, opened = true`,
      ...[killed, overCost, revoked],
    );
  }
  const { added, removed } = books.deferred;
  await run(
    "DELETE FROM ledger.deferred_expiry WHERE batch = $1 AND shard = $2 AND serial = ANY ($3::integer[])",
    removed,
  );
  await run(
    "INSERT INTO ledger.deferred_expiry SELECT $1::integer, $2::smallint, unnest($3::integer[]) ON CONFLICT DO NOTHING",
    added,
  );
  await replaceTransfers(connection, at, books.transfers);
  if (books.terms !== null) await replaceTerms(connection, books.terms);
}

async function postLines(connection: Connection, at: Shard, { lines, correctionNumber }: BooksDerived): Promise<void> {
  if (lines.length === 0) return;
  await connection.query(
    `WITH posted AS (
       INSERT INTO ledger.posting (batch, shard, number, at_ms, event, account, party, amount, coupons)
       SELECT $1::integer, $2::smallint, number, "atMs", event, account, party, amount, coupons FROM json_to_recordset($3) AS r
         (number bigint, "atMs" bigint, event text, account text, party text, amount bigint, coupons integer)
       RETURNING posting_id
     ) INSERT INTO ledger.posting_correction (batch, shard, posting_id, correction_number)
       SELECT $1::integer, $2::smallint, posting_id, $4::bigint FROM posted`,
    [at.batch, at.shard, JSON.stringify(lines), correctionNumber],
  );
}

async function replaceTransfers(
  connection: Connection,
  { batch, shard }: Shard,
  { from, rows }: BooksDerived["transfers"],
): Promise<void> {
  await connection.query("DELETE FROM ledger.transfer WHERE batch = $1 AND shard = $2 AND number >= $3", [
    ...[batch, shard, from],
  ]);
  await connection.query(
    `INSERT INTO ledger.transfer (batch, shard, number, kind, peer, transfer, amount, at_ms)
     SELECT $1::integer, $2::smallint, number, kind, peer, transfer, amount, "atMs" FROM json_to_recordset($3) AS r
       (number bigint, kind text, peer smallint, transfer integer, amount integer, "atMs" bigint)`,
    [batch, shard, JSON.stringify(rows)],
  );
}

async function replaceTerms(connection: Connection, terms: BatchTerms): Promise<void> {
  await connection.query(
    `INSERT INTO ledger.batch_terms (batch, batch_id, campaign_id, currency, greatest_discount, funding, validity, time_zone)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (batch) DO UPDATE SET batch_id = $2, campaign_id = $3, currency = $4, greatest_discount = $5,
       funding = $6, validity = $7, time_zone = $8`,
    [
      ...[terms.batch, terms.batchId, terms.campaignId, terms.currency, terms.greatestDiscount],
      ...[JSON.stringify(terms.funding), JSON.stringify(terms.validity), terms.timeZone],
    ],
  );
}
