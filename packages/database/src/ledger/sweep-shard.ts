import type { Connection, Pool, Queryable } from "../pool.ts";
import { inTransaction } from "../transaction.ts";
import type { PostingLine } from "./posting-rows.ts";
import { insertPostings } from "./write-postings.ts";

/** A shard that has coupons which were not swept yet, or were deferred. */
export interface SweepableShard {
  batch: number;
  shard: number;
  partition: number;
  /** Time of the last entry applied. */
  atMs: number;
  /** When the first coupon that was not swept was issued; null where all were. */
  nextIssuedAtMs: number | null;
  deferring: boolean;
}

const openShards = `ledger.shard s
  LEFT JOIN ledger.shard_books b ON b.batch = s.batch AND b.shard = s.shard
  LEFT JOIN ledger.coupon c ON c.batch = s.batch AND c.shard = s.shard AND c.serial = coalesce(b.swept, 0)`;

/** Shards in the order of their keys, from the one after `after` on. */
export async function readSweepableShards(
  db: Queryable,
  after: { batch: number; shard: number },
  limit: number,
): Promise<SweepableShard[]> {
  const { rows } = await db.query<SweepableShard>({
    name: "ledger-sweepable",
    text: `SELECT * FROM (
        SELECT s.batch, s.shard, s.partition, s.at_ms AS "atMs", c.issued_at_ms AS "nextIssuedAtMs",
          EXISTS (SELECT FROM ledger.deferred_expiry d WHERE d.batch = s.batch AND d.shard = s.shard) AS deferring
        FROM ${openShards}
        WHERE (s.batch, s.shard) > ($1, $2) AND NOT coalesce(b.revoked, false) AND coalesce(b.opened, true)
      ) f WHERE "nextIssuedAtMs" IS NOT NULL OR deferring ORDER BY batch, shard LIMIT $3`,
    values: [after.batch, after.shard, limit],
  });
  return rows;
}

export interface SweepAsk {
  batch: number;
  shard: number;
  /** Coupons at most that one transaction looks at, of those not swept and of those deferred. */
  limit: number;
  /**
   * An instant up to which every entry of the shard's partition before the offset `logEnd` tells all there is; null
   * where only the shard's own entries can tell the time.
   */
  silent: { untilMs: number; logEnd: number } | null;
  /** First instant of issue whose coupons are not over at an instant. */
  firstLiveIssueMs(atMs: number): number;
  /** Lines for so many coupons that have expired after the shard's entry `number`. */
  lines(number: number, coupons: number): PostingLine[];
}

export interface Sweeping {
  /** Coupons that were looked at for the first time. */
  swept: number;
  /** Coupons that expired. */
  expired: number;
  /** Coupons that are over but held. */
  deferred: number;
  /** Whether there may be more to sweep at once. */
  more: boolean;
}

/**
 * Sweeps a part of a shard: coupons whose validity is over leave the books, those that a hold in time keeps are put
 * off. The shard's row is held meanwhile, so that no entry of it is applied, and no other sweep does the same: each
 * coupon expires once. A shard under {@link withoutSweeps} is left for later.
 */
export async function sweepShard(pool: Pool, ask: SweepAsk): Promise<Sweeping> {
  return inTransaction(pool, "READ COMMITTED", async (connection) => {
    const standing = await lockShard(connection, ask);
    if (standing === null) return { swept: 0, expired: 0, deferred: 0, more: false };
    const over = await readOver(connection, ask, standing);
    const { ended, heldUntilMs } = await endDeferred(connection, ask, standing.untilMs);
    const expired = over.expired + ended;
    const { batch, shard } = ask;
    await insertPostings(connection, {
      lines: expired === 0 ? [] : ask.lines(standing.number, expired),
      deferred: over.held.map((serial) => ({ batch, shard, serial })),
      ...{ books: [], undeferred: [], revoked: [] },
    });
    if (over.swept > 0) await advanceBooks(connection, ask, standing.untilMs, over);
    // Until then an entry may have used what was held, and still come.
    else if (heldUntilMs > 0) await advanceBooks(connection, ask, heldUntilMs, over);
    const more = over.swept === ask.limit || ended === ask.limit;
    return { swept: over.swept, expired, deferred: over.held.length, more };
  });
}

interface Standing {
  number: number;
  swept: number;
  /** What is over at this instant is over for good: no entry before it is still to come. */
  untilMs: number;
}

async function lockShard(connection: Connection, { batch, shard, silent }: SweepAsk): Promise<Standing | null> {
  const { rows: locked } = await connection.query<{ number: number; atMs: number; partition: number }>({
    name: "ledger-sweep-lock",
    text: `SELECT number, at_ms AS "atMs", partition FROM ledger.shard WHERE batch = $1 AND shard = $2
        AND pg_try_advisory_xact_lock_shared($1::integer, $2::integer) FOR UPDATE`,
    values: [batch, shard],
  });
  const [row] = locked;
  if (row === undefined) return null;
  const { rows } = await connection.query<{ swept: number; revoked: boolean; opened: boolean; position: number }>({
    name: "ledger-sweep-standing",
    text: `SELECT coalesce(b.swept, 0) AS swept, coalesce(b.revoked, false) AS revoked,
        coalesce(b.opened, true) AS opened, p.position
      FROM ledger.partition_position p LEFT JOIN ledger.shard_books b ON b.batch = $1 AND b.shard = $2
      WHERE p.partition = $3`,
    values: [batch, shard, row.partition],
  });
  const [books] = rows;
  if (books === undefined || books.revoked || !books.opened) return null;
  const tells = silent !== null && books.position >= silent.logEnd;
  return { number: row.number, swept: books.swept, untilMs: tells ? Math.max(row.atMs, silent.untilMs) : row.atMs };
}

interface Over {
  swept: number;
  expired: number;
  killed: number;
  held: number[];
  cost: number;
}

async function readOver(connection: Connection, ask: SweepAsk, { swept, untilMs }: Standing): Promise<Over> {
  const firstLive = Math.min(ask.firstLiveIssueMs(untilMs), Number.MAX_SAFE_INTEGER);
  if (firstLive <= 0) return { swept: 0, expired: 0, killed: 0, held: [], cost: 0 };
  const { rows } = await connection.query<Over>({
    name: "ledger-sweep-over",
    text: `WITH over AS MATERIALIZED (
        SELECT c.serial, c.state, coalesce(c.state = 2 AND h.until_ms > $6, false) AS held
        FROM ledger.coupon c
        LEFT JOIN ledger.hold h ON h.batch = c.batch AND h.shard = c.shard AND h.serial = c.serial
        WHERE c.batch = $1 AND c.shard = $2 AND c.serial >= $3 AND c.serial < $3 + $4::integer AND c.issued_at_ms < $5
      ), counted AS (
        SELECT count(*)::integer AS swept, (count(*) FILTER (WHERE state IN (0, 1, 2) AND NOT held))::integer AS expired,
          (count(*) FILTER (WHERE state = 4))::integer AS killed,
          coalesce(array_agg(serial) FILTER (WHERE held), '{}') AS held
        FROM over
      )
      SELECT counted.*,
        (SELECT coalesce(sum(r.discount), 0)::bigint FROM ledger.redemption r
          WHERE r.batch = $1 AND r.shard = $2 AND r.serial >= $3 AND r.serial < $3 + counted.swept)
        - (SELECT coalesce(sum(r.discount), 0)::bigint FROM ledger.reversal r
          WHERE r.batch = $1 AND r.shard = $2 AND r.serial >= $3 AND r.serial < $3 + counted.swept) AS cost
      FROM counted`,
    values: [ask.batch, ask.shard, swept, ask.limit, firstLive, untilMs],
  });
  return rows[0] as Over;
}

/** Expires what was put off and is held no more: how many, and when the last of those holds ended that nobody gave back. */
async function endDeferred(
  connection: Connection,
  ask: SweepAsk,
  untilMs: number,
): Promise<{ ended: number; heldUntilMs: number }> {
  const { rows } = await connection.query<{ ended: number; heldUntilMs: number }>({
    name: "ledger-sweep-deferred",
    text: `WITH ended AS (
        DELETE FROM ledger.deferred_expiry d USING (
          SELECT e.serial, CASE WHEN c.state = 2 THEN h.until_ms ELSE 0 END AS held_until_ms
          FROM ledger.deferred_expiry e
          JOIN ledger.coupon c ON c.batch = e.batch AND c.shard = e.shard AND c.serial = e.serial
          LEFT JOIN ledger.hold h ON h.batch = e.batch AND h.shard = e.shard AND h.serial = e.serial
          WHERE e.batch = $1 AND e.shard = $2 AND NOT coalesce(c.state = 2 AND h.until_ms > $3, false) LIMIT $4
        ) o WHERE d.batch = $1 AND d.shard = $2 AND d.serial = o.serial RETURNING o.held_until_ms
      ) SELECT count(*)::integer AS ended, coalesce(max(held_until_ms), 0)::bigint AS "heldUntilMs" FROM ended`,
    values: [ask.batch, ask.shard, untilMs, ask.limit],
  });
  return rows[0] as { ended: number; heldUntilMs: number };
}

async function advanceBooks(connection: Connection, ask: SweepAsk, untilMs: number, over: Over): Promise<void> {
  await connection.query({
    name: "ledger-sweep-books",
    text: `INSERT INTO ledger.shard_books AS b (batch, shard, swept, swept_until_ms, over_cost, killed)
      VALUES ($1, $2, $3, $4, $5, -$6::integer)
      ON CONFLICT (batch, shard) DO UPDATE SET swept = b.swept + excluded.swept,
        swept_until_ms = greatest(b.swept_until_ms, excluded.swept_until_ms),
        over_cost = b.over_cost + excluded.over_cost, killed = b.killed + excluded.killed`,
    values: [ask.batch, ask.shard, over.swept, untilMs, over.cost, over.killed],
  });
}

/**
 * Runs `work` while no sweep changes the shard's books, whichever process sweeps; entries are applied as ever. It takes a
 * connection. Where that breaks, sweeps go on: what must not have changed has to be looked at in the end.
 */
export async function withoutSweeps<Result>(
  pool: Pool,
  { batch, shard }: { batch: number; shard: number },
  work: () => Promise<Result>,
): Promise<Result> {
  const connection = await pool.connect();
  const ignore = () => {};
  connection.on("error", ignore);
  try {
    await connection.query("SELECT pg_advisory_lock($1, $2)", [batch, shard]);
    return await work();
  } finally {
    const isFree = await connection.query("SELECT pg_advisory_unlock($1, $2)", [batch, shard]).then(
      () => true,
      () => false,
    );
    connection.off("error", ignore);
    connection.release(!isFree);
  }
}
