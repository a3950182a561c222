import type { Queryable } from "@coupon/database";
import type { BookRows, LedgerRows } from "@coupon/history";

const ofCoupon = "batch, shard, serial";
const ofOrder = `${ofCoupon}, caller_id AS "callerId", order_id AS "orderId"`;
const money = "jsonb_build_object('discount', discount, 'currency', currency, 'lines', lines)";

/** Every table of the ledger as the history checker takes it. */
const queries: Record<keyof LedgerRows, string> = {
  positions: "SELECT partition, position, epoch FROM ledger.partition_position",
  shards: `SELECT batch, shard, partition, number, encode(hash, 'hex') AS hash, at_ms AS "atMs", issued,
    day_start_ms AS "dayStartMs", day_issued AS "dayIssued", debited, credited, redemptions, reversals, restored,
    deactivated, discounted, discount_reversed AS "discountReversed", rules FROM ledger.shard`,
  // Beyond 2^53 a key hash is no number of JavaScript's.
  coupons: `SELECT ${ofCoupon}, lpad(to_hex(key_hash), 16, '0') AS "keyHash", issued_at_ms AS "issuedAtMs", state,
    via::text AS via, user_id AS "userId", caller_id AS "callerId" FROM ledger.coupon`,
  holds: `SELECT ${ofOrder}, payload, locked_at_ms AS "lockedAtMs", until_ms AS "untilMs", discount FROM ledger.hold`,
  redemptions: `SELECT ${ofOrder}, number, payload, redeemed_at_ms AS "redeemedAtMs", ${money} AS discount
    FROM ledger.redemption`,
  reversals: `SELECT ${ofOrder}, number, reversal_id AS "reversalId", key_hash AS "keyHash", payload, reason,
    reversed_at_ms AS "reversedAtMs", ${money} AS reversed, remaining, restored FROM ledger.reversal`,
  releases: `SELECT ${ofOrder}, number, released_at_ms AS "releasedAtMs", held FROM ledger.release`,
  deactivations: `SELECT ${ofCoupon}, number, reason, deactivated_at_ms AS "deactivatedAtMs" FROM ledger.deactivation`,
  rules: 'SELECT batch, shard, number, at_ms AS "atMs", version, rules FROM ledger.rules_history',
  transfers: 'SELECT batch, shard, number, kind, peer, transfer, amount, at_ms AS "atMs" FROM ledger.transfer',
};

/** Everything that the ledger has, by one query a table: let nothing be written meanwhile. */
export async function readLedger(pool: Queryable): Promise<LedgerRows> {
  const read = await Promise.all(
    Object.entries(queries).map(async ([name, sql]) => [name, (await pool.query(sql)).rows] as const),
  );
  return Object.fromEntries(read) as unknown as LedgerRows;
}

const ofAccount = "batch, shard, event, account, party, amount, coupons";

/** Each table of the books as the history checker takes it. */
const bookQueries: Record<keyof BookRows, string> = {
  postings: `SELECT number, ${ofAccount} FROM ledger.posting ORDER BY posting_id`,
  balances: `SELECT ${ofAccount} FROM ledger.account_balance`,
  shards: 'SELECT batch, shard, swept, swept_until_ms AS "sweptUntilMs" FROM ledger.shard_books',
  deferred: `SELECT ${ofCoupon} FROM ledger.deferred_expiry`,
};

/** The ledger's books, by one statement: sweeps may go on. */
export async function readBooks(pool: Queryable): Promise<BookRows> {
  const columns = Object.entries(bookQueries).map(
    ([name, sql]) => `(SELECT coalesce(jsonb_agg(t), '[]') FROM (${sql}) t) AS ${name}`,
  );
  const { rows } = await pool.query<BookRows>(`SELECT ${columns.join(", ")}`);
  return rows[0] as BookRows;
}
