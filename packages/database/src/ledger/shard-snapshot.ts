import type { ImageCoupons, ShardImage, ShardRules } from "@coupon/domain";
import type { Connection, Pool } from "../pool.ts";
import { begin, rollback } from "../transaction.ts";
import { readImageCoupons } from "./image-coupons.ts";

/** A shard as of one moment. Holds a connection until it is closed, so close it. */
export interface ShardSnapshot extends AsyncDisposable {
  image: ShardImage;
  /** Every coupon of the image by ascending serial, in chunks; can be read once, before `close`. */
  coupons(): AsyncIterable<ImageCoupons>;
  close(): Promise<void>;
}

export interface ShardSnapshotOptions {
  batch: number;
  shard: number;
  /** Coupons in a chunk at most, and in one statement; 32,768 by default. */
  chunkSize?: number;
}

/** Some 1.5 MB, of which three are in memory at most. */
const CHUNK_DEFAULT = 32_768;

interface ShardRow {
  number: number;
  hash: string;
  at_ms: number;
  issued: number;
  day_start_ms: number;
  day_issued: number;
  debited: number;
  credited: number;
  rules: ShardRules;
}

/**
 * Opens a shard for reading as of one entry: the image and the coupons are of the same snapshot,
 * whatever the ledger writes meanwhile. Null where the ledger has no rules of that shard, so that the
 * log alone tells its story.
 */
export async function openShardSnapshot(pool: Pool, options: ShardSnapshotOptions): Promise<ShardSnapshot | null> {
  const connection = await begin(pool, "REPEATABLE READ, READ ONLY");
  let open = true;
  const close = async () => {
    if (open) await rollback(connection);
    open = false;
  };
  try {
    const image = await readImage(connection, options);
    if (image !== null) {
      const { chunkSize = CHUNK_DEFAULT } = options;
      const coupons = () => readImageCoupons(connection, options, image.nextSerial, chunkSize);
      return { image, coupons, close, [Symbol.asyncDispose]: close };
    }
  } catch (error) {
    await close();
    throw error;
  }
  await close();
  return null;
}

async function readImage(connection: Connection, options: ShardSnapshotOptions): Promise<ShardImage | null> {
  const key = [options.batch, options.shard];
  const { rows } = await connection.query<ShardRow>(
    `SELECT number, encode(hash, 'hex') AS hash, at_ms, issued, day_start_ms, day_issued, debited, credited, rules
     FROM ledger.shard WHERE batch = $1 AND shard = $2 AND rules IS NOT NULL`,
    key,
  );
  const row = rows[0];
  if (row === undefined) return null;
  const transfers = await connection.query<{ kind: string; peer: number; transfer: number; amount: number }>(
    `SELECT DISTINCT ON (kind, peer) kind, peer, transfer, amount FROM ledger.transfer
     WHERE batch = $1 AND shard = $2 ORDER BY kind, peer, transfer DESC`,
    key,
  );
  const corrections = await connection.query<{ id: string }>(
    `SELECT id FROM (SELECT correction_id AS id, number FROM ledger.correction WHERE batch = $1 AND shard = $2
       ORDER BY number DESC LIMIT 16) last ORDER BY number`,
    key,
  );
  const of = (kind: string) => transfers.rows.filter((each) => each.kind === kind);
  return {
    number: row.number,
    hash: row.hash,
    atMs: row.at_ms,
    nextSerial: row.issued,
    left: row.rules.allotment + row.credited - row.debited - row.issued,
    dayStartMs: row.day_start_ms,
    dayIssued: row.day_issued,
    rules: row.rules,
    debits: of("debit").map((each) => ({ target: each.peer, transfer: each.transfer, amount: each.amount })),
    credits: of("credit").map((each) => ({ source: each.peer, transfer: each.transfer })),
    corrections: corrections.rows.map(({ id }) => id),
  };
}
