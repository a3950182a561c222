import type { Connection } from "../pool.ts";
import { type Column, from, into } from "./bulk.ts";
import type {
  BatchTerms,
  PostingLine,
  PostingRows,
  PostingWork,
  ShardBooks,
  ShardBooksChange,
} from "./posting-rows.ts";
import type { CouponKey } from "./rows.ts";

const ofShard: Column<{ batch: number; shard: number }>[] = [
  ["batch", "integer", (row) => row.batch],
  ["shard", "smallint", (row) => row.shard],
];
const ofCoupon: Column<CouponKey>[] = [...ofShard, ["serial", "integer", (row) => row.serial]];

const lineColumns: Column<PostingLine>[] = [
  ...ofShard,
  ["number", "bigint", (row) => row.number],
  ["at_ms", "bigint", (row) => row.atMs],
  ["event", "text", (row) => row.event],
  ["account", "text", (row) => row.account],
  ["party", "text", (row) => row.party],
  ["amount", "bigint", (row) => row.amount],
  ["coupons", "integer", (row) => row.coupons],
];

const termsColumns: Column<BatchTerms>[] = [
  ["batch", "integer", (row) => row.batch],
  ["batch_id", "text", (row) => row.batchId],
  ["campaign_id", "text", (row) => row.campaignId],
  ["currency", "text", (row) => row.currency],
  ["greatest_discount", "bigint", (row) => row.greatestDiscount],
  ["funding", "jsonb", (row) => JSON.stringify(row.funding)],
  ["validity", "jsonb", (row) => JSON.stringify(row.validity)],
  ["time_zone", "text", (row) => row.timeZone],
];

const booksColumns: Column<ShardBooksChange>[] = [
  ...ofShard,
  ["over_cost", "bigint", (row) => row.overCost],
  ["killed", "integer", (row) => row.killed],
  ["revoked", "boolean", (row) => row.revoked],
];

const bulk = {
  // The balances are reduced to one row each first: a statement may not touch one twice.
  lines: from(lineColumns, (u) => ({
    name: "ledger-posting",
    text: `WITH line AS MATERIALIZED (SELECT * FROM ${u}), balance AS (
        INSERT INTO ledger.account_balance AS b (batch, shard, event, account, party, amount, coupons)
        SELECT batch, shard, event, account, party, sum(amount)::bigint, sum(coupons)::bigint FROM line
        GROUP BY 1, 2, 3, 4, 5
        ON CONFLICT (batch, shard, event, account, party)
        DO UPDATE SET amount = b.amount + excluded.amount, coupons = b.coupons + excluded.coupons
      )
      INSERT INTO ledger.posting (batch, shard, number, at_ms, event, account, party, amount, coupons)
      SELECT batch, shard, number, at_ms, event, account, party, amount, coupons FROM line`,
  })),
  terms: into("batch_terms", termsColumns, "ON CONFLICT (batch) DO NOTHING"),
  books: from(booksColumns, (u) => ({
    name: "ledger-shard-books",
    text: `INSERT INTO ledger.shard_books AS b (batch, shard, over_cost, killed, revoked)
      SELECT batch, shard, over_cost, killed, revoked FROM ${u}
      ON CONFLICT (batch, shard) DO UPDATE SET over_cost = b.over_cost + excluded.over_cost,
        killed = b.killed + excluded.killed, revoked = b.revoked OR excluded.revoked`,
  })),
  deferred: into("deferred_expiry", ofCoupon, "ON CONFLICT DO NOTHING"),
  undeferred: from(ofCoupon, (u) => ({
    name: "ledger-undeferred",
    text: `DELETE FROM ledger.deferred_expiry d USING ${u}
      WHERE d.batch = u.batch AND d.shard = u.shard AND d.serial = u.serial`,
  })),
  revoked: from(ofShard, (u) => ({
    name: "ledger-undeferred-shards",
    text: `DELETE FROM ledger.deferred_expiry d USING ${u} WHERE d.batch = u.batch AND d.shard = u.shard`,
  })),
  readBooks: from(ofShard, (u) => ({
    name: "ledger-read-books",
    text: `SELECT u.batch, u.shard, coalesce(b.swept, 0) AS swept, coalesce(b.revoked, false) AS revoked,
        (SELECT -coalesce(sum(a.amount), 0)::bigint FROM ledger.account_balance a
          WHERE a.batch = u.batch AND a.shard = u.shard AND a.account = 'liability') AS liability
      FROM ${u} LEFT JOIN ledger.shard_books b ON b.batch = u.batch AND b.shard = u.shard`,
  })),
  readDeferred: from(ofCoupon, (u) => ({
    name: "ledger-read-deferred",
    text: `SELECT d.batch, d.shard, d.serial FROM ledger.deferred_expiry d, ${u}
      WHERE d.batch = u.batch AND d.shard = u.shard AND d.serial = u.serial`,
  })),
};

/**
 * Posts what a transaction's entries mean in money. The transaction must hold the rows of their shards already: a
 * sweep takes them, too, so that what is read here stays so.
 */
export async function writePostings(connection: Connection, work: PostingWork): Promise<void> {
  await insertTerms(connection, work.terms);
  const reading = bulk.readBooks(work.shards);
  const books = reading === null ? [] : (await connection.query<ShardBooks>(reading)).rows;
  const rows = work.post(books, await readDeferred(connection, work.coupons, books));
  await insertPostings(connection, rows);
}

/** Stores terms; what PostgreSQL has of a batch stands. */
export async function insertTerms(connection: Connection, terms: readonly BatchTerms[]): Promise<void> {
  const statement = bulk.terms(terms);
  if (statement !== null) await connection.query(statement);
}

/** Only coupons that were swept can be deferred, and most were not. */
async function readDeferred(connection: Connection, coupons: CouponKey[], books: ShardBooks[]): Promise<CouponKey[]> {
  if (books.every(({ swept }) => swept === 0)) return [];
  const sweptOf = new Map(books.map(({ batch, shard, swept }) => [`${batch}.${shard}`, swept]));
  const swept = coupons.filter(({ batch, shard, serial }) => serial < (sweptOf.get(`${batch}.${shard}`) ?? 0));
  const reading = bulk.readDeferred(swept);
  return reading === null ? [] : (await connection.query<CouponKey>(reading)).rows;
}

/** Writes lines with the balances they add up to, and what else changes with them. */
export async function insertPostings(connection: Connection, rows: PostingRows): Promise<void> {
  const statements = [
    bulk.lines(rows.lines),
    bulk.books(rows.books),
    bulk.revoked(rows.revoked),
    bulk.undeferred(rows.undeferred),
    bulk.deferred(rows.deferred),
  ];
  for (const statement of statements) if (statement !== null) await connection.query(statement);
}
