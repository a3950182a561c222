import type { ImageCoupon, ShardImage, ShardRules } from "@coupon/domain";
import type { Connection, Pool } from "../pool.ts";
import { begin, rollback } from "../transaction.ts";
import { couponStates, type StoredState } from "./rows.ts";

/** A shard as of one moment. Holds a connection until it is closed, so close it. */
export interface ShardSnapshot extends AsyncDisposable {
  image: ShardImage;
  /** Every coupon of the image by ascending serial, in chunks; can be read once, before `close`. */
  coupons(): AsyncIterable<ImageCoupon[]>;
  close(): Promise<void>;
}

export interface ShardSnapshotOptions {
  batch: number;
  shard: number;
  /** Coupons in a chunk at most; 1,000 by default. */
  chunkSize?: number;
}

const CHUNK_DEFAULT = 1_000;

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
      return { image, coupons: () => readChunks(connection, options), close, [Symbol.asyncDispose]: close };
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
  };
}

interface CouponRow {
  serial: number;
  user_id: string;
  key_hash: string;
  issued_at_seconds: number;
  state: StoredState;
}

async function* readChunks(connection: Connection, options: ShardSnapshotOptions): AsyncGenerator<ImageCoupon[]> {
  const limit = options.chunkSize ?? CHUNK_DEFAULT;
  let after = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const { rows } = await connection.query<CouponRow>({
      name: "ledger-image-coupons",
      text: `SELECT serial, user_id, lpad(to_hex(key_hash), 16, '0') AS key_hash,
          issued_at_ms / 1000 AS issued_at_seconds, state
        FROM ledger.coupon WHERE batch = $1 AND shard = $2 AND serial > $3::bigint ORDER BY serial LIMIT $4`,
      values: [options.batch, options.shard, after, limit],
    });
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map(toImageCoupon);
    if (rows.length < limit) return;
    after = last.serial;
  }
}

function toImageCoupon(row: CouponRow): ImageCoupon {
  return {
    serial: row.serial,
    userId: row.user_id,
    keyHash: row.key_hash,
    issuedAtSeconds: row.issued_at_seconds,
    touched: touchedBy[row.state],
  };
}

const touchedBy = {
  [couponStates.untouched]: "no",
  [couponStates.effective]: "on_record",
  [couponStates.locked]: "on_record",
  [couponStates.redeemed]: "redeemed",
  [couponStates.deactivated]: "deactivated",
} as const satisfies Record<StoredState, ImageCoupon["touched"]>;
