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

/** In which partition each shard is said to be. */
export async function readShardPlaces(db: Queryable): Promise<Pick<ShardRow, "batch" | "shard" | "partition">[]> {
  const { rows } = await db.query<Pick<ShardRow, "batch" | "shard" | "partition">>(
    "SELECT batch, shard, partition FROM ledger.shard",
  );
  return rows;
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

/** The transfers of every batch that has any. */
export async function readBatchTransfers(db: Queryable): Promise<BatchTransfers[]> {
  const { rows } = await db.query<BatchTransfers>({
    name: "ledger-batch-transfers",
    text: `WITH debit AS (SELECT * FROM ledger.transfer WHERE kind = 'debit'),
        credit AS (SELECT * FROM ledger.transfer WHERE kind = 'credit'),
      paired AS (
        SELECT coalesce(d.batch, c.batch) AS batch, d.amount AS debit, c.amount AS credit
        FROM debit d FULL JOIN credit c ON c.batch = d.batch AND c.shard = d.peer AND c.peer = d.shard
          AND c.transfer = d.transfer)
      SELECT p.batch, s.debited, s.credited,
        coalesce(sum(p.debit) FILTER (WHERE p.credit IS NULL), 0)::bigint AS "inTransfer",
        coalesce(sum(p.credit) FILTER (WHERE p.debit IS NULL), 0)::bigint AS "creditedAhead",
        count(*) FILTER (WHERE p.debit <> p.credit)::integer AS unequal
      FROM paired p JOIN (SELECT batch, sum(debited)::bigint AS debited, sum(credited)::bigint AS credited
        FROM ledger.shard GROUP BY batch) s USING (batch)
      GROUP BY p.batch, s.debited, s.credited`,
    values: [],
  });
  return rows;
}
