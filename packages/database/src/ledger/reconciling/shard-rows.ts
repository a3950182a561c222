import type { ShardRules, ShardTotals } from "@coupon/domain";
import type { Queryable } from "../../pool.ts";

/** Everything that is counted of a shard, as of its entry `number`. Counters are totals since entry 1. */
export interface ShardCount extends ShardTotals {
  number: number;
  /** SHA-1 of that entry's text, hex; "" before the first. */
  hash: string;
  atMs: number;
  issued: number;
  dayStartMs: number;
  dayIssued: number;
  rules: ShardRules | null;
}

/** A row of `ledger.shard`. */
export interface ShardRow extends ShardCount {
  batch: number;
  shard: number;
  partition: number;
}

const columns = `batch, shard, partition, number, encode(hash, 'hex') AS hash, at_ms AS "atMs", issued,
  day_start_ms AS "dayStartMs", day_issued AS "dayIssued", debited, credited, redemptions, reversals, restored,
  deactivated, discounted, discount_reversed AS "discountReversed", rules`;

/** The shards of these partitions, each as of the last entry applied, all of one moment. */
export async function readShardRows(db: Queryable, partitions: number[]): Promise<ShardRow[]> {
  const { rows } = await db.query<ShardRow>({
    name: "ledger-shard-rows",
    text: `SELECT ${columns} FROM ledger.shard WHERE partition = ANY ($1::smallint[])`,
    values: [partitions],
  });
  return rows;
}

/** The shards of these batches in other partitions than these. */
export async function readOtherShardRows(db: Queryable, batches: number[], partitions: number[]): Promise<ShardRow[]> {
  const { rows } = await db.query<ShardRow>({
    name: "ledger-other-shard-rows",
    text: `SELECT ${columns} FROM ledger.shard
      WHERE batch = ANY ($1::integer[]) AND partition <> ALL ($2::smallint[])`,
    values: [batches, partitions],
  });
  return rows;
}

type ShardPlace = Pick<ShardRow, "batch" | "shard" | "partition">;

/** Shards whose places one statement reads. */
const PLACES_A_STEP = 10_000;

/** In which partition each shard is said to be: of one moment where `db` shows one. */
export async function readShardPlaces(db: Queryable): Promise<ShardPlace[]> {
  const places: ShardPlace[] = [];
  for (let last: ShardPlace | undefined; ; ) {
    const { rows }: { rows: ShardPlace[] } = await db.query({
      name: "ledger-shard-places",
      text: `SELECT batch, shard, partition FROM ledger.shard WHERE (batch, shard) > ($1::integer, $2::smallint)
        ORDER BY batch, shard LIMIT $3`,
      values: [last?.batch ?? 1 - 2 ** 31, last?.shard ?? 0, PLACES_A_STEP],
    });
    for (const row of rows) places.push(row);
    last = rows.at(-1);
    if (rows.length < PLACES_A_STEP) return places;
  }
}

/** What a batch's shards have moved between them, as one statement sees it. */
export interface BatchTransfers {
  batch: number;
  /** Totals of the shards' rows. */
  debited: number;
  credited: number;
  /** Of the debits that have no credit yet: stock on its way. */
  inTransfer: number;
  /** Of credits whose debit is not applied yet: the source's partition lags behind the target's. */
  creditedAhead: number;
  /** Pairs of a debit and a credit whose amounts differ. */
  unequal: number;
}

/** Batches whose transfers one statement adds up: of each there are as many as its shards have moved stock. */
const BATCHES_A_STEP = 50;

/** The transfers of these batches, of those that have any. */
export async function readBatchTransfers(db: Queryable, batches: readonly number[]): Promise<BatchTransfers[]> {
  const transfers: BatchTransfers[] = [];
  for (let from = 0; from < batches.length; from += BATCHES_A_STEP) {
    const { rows } = await db.query<BatchTransfers>({
      name: "ledger-batch-transfers",
      text: TRANSFERS_STEP,
      values: [batches.slice(from, from + BATCHES_A_STEP)],
    });
    transfers.push(...rows);
  }
  return transfers;
}

// Grouped, not joined: with the joins that the ledger's sessions have, debits and credits would meet by their batch alone.
const TRANSFERS_STEP = `WITH paired AS (
    SELECT batch, max(amount) FILTER (WHERE kind = 'debit') AS debit,
      max(amount) FILTER (WHERE kind = 'credit') AS credit
    FROM ledger.transfer WHERE batch = ANY ($1::integer[])
    GROUP BY batch, transfer, CASE kind WHEN 'debit' THEN shard ELSE peer END,
      CASE kind WHEN 'debit' THEN peer ELSE shard END), moved AS (
    SELECT batch, coalesce(sum(debit) FILTER (WHERE credit IS NULL), 0)::bigint AS "inTransfer",
      coalesce(sum(credit) FILTER (WHERE debit IS NULL), 0)::bigint AS "creditedAhead",
      count(*) FILTER (WHERE debit <> credit)::integer AS unequal
    FROM paired GROUP BY batch)
  SELECT m.*, s.debited, s.credited FROM moved m JOIN (
    SELECT batch, sum(debited)::bigint AS debited, sum(credited)::bigint AS credited
    FROM ledger.shard WHERE batch = ANY ($1::integer[]) GROUP BY batch) s USING (batch)`;
