import type { Pool, Queryable } from "../pool.ts";
import { begin, rollback } from "../transaction.ts";

/** Where the ledger stands in a partition. */
export interface PartitionPosition {
  partition: number;
  /** Offset of the next message to apply. */
  position: number;
  /** Offset of the last marker applied; -1 before the first. */
  epoch: number;
}

/** A shard at the last entry that the ledger has applied. */
export interface ShardStanding {
  batch: number;
  shard: number;
  number: number;
  /** SHA-1 of that entry's text, hex. */
  hash: string;
  atMs: number;
}

export interface PartitionStanding extends PartitionPosition {
  shards: ShardStanding[];
}

/**
 * A partition's position together with all its shards, of one moment. A partition that the ledger has
 * never touched stands at 0 with epoch -1 and no shards.
 */
export async function readPartition(pool: Pool, partition: number): Promise<PartitionStanding> {
  const connection = await begin(pool, "REPEATABLE READ, READ ONLY");
  try {
    const [position] = await readPositions(connection, [partition]);
    const shards = await connection.query<ShardStanding>({
      name: "ledger-partition-shards",
      text: `SELECT batch, shard, number, encode(hash, 'hex') AS hash, at_ms AS "atMs"
        FROM ledger.shard WHERE partition = $1`,
      values: [partition],
    });
    return { ...(position ?? { partition, position: 0, epoch: -1 }), shards: shards.rows };
  } finally {
    await rollback(connection);
  }
}

/** Positions of these partitions, those that exist. */
export async function readPositions(db: Queryable, partitions: number[]): Promise<PartitionPosition[]> {
  const { rows } = await db.query<PartitionPosition>({
    name: "ledger-positions",
    text: `SELECT partition, position, epoch FROM ledger.partition_position
      WHERE partition = ANY ($1::smallint[]) ORDER BY partition`,
    values: [partitions],
  });
  return rows;
}

/** Makes the position rows of partitions that have none, at 0. Harmless to repeat. */
export async function createPositions(db: Queryable, partitions: number[]): Promise<void> {
  await db.query({
    name: "ledger-create-positions",
    text: `INSERT INTO ledger.partition_position (partition, position, epoch)
      SELECT partition, 0, -1 FROM unnest($1::smallint[]) AS p (partition) ON CONFLICT DO NOTHING`,
    values: [partitions],
  });
}
