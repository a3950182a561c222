import { type ImageCoupons, touchedBits } from "@coupon/domain";
import { to as copyTo } from "pg-copy-streams";
import type { Connection } from "../pool.ts";
import { couponStates, type StoredState } from "./rows.ts";

/** Coupons of one COPY: some 5 MB of rows, of which two lots are in memory at most. */
const RANGE_COUPONS = 65_536;
/** Of PGCOPY's header, with no extension. */
const HEADER_BYTES = 19;
/** Of a row up to its text: a count of columns, five lengths, and 4 + 8 + 2 + 8 bytes. */
const FIXED_BYTES = 44;
const END_OF_ROWS = -1;

const touchedBy: Record<StoredState, number> = {
  [couponStates.untouched]: touchedBits.no,
  [couponStates.effective]: touchedBits.on_record,
  [couponStates.locked]: touchedBits.on_record,
  [couponStates.redeemed]: touchedBits.redeemed,
  [couponStates.deactivated]: touchedBits.deactivated,
};

/**
 * The coupons of a shard with serials from 0, in chunks of `chunkSize` at most. Rows come by COPY in its binary format
 * and range by range, so that no statement is long; while one range is taken in, the next is on its way.
 *
 * @throws RangeError where a serial below the last one is missing
 */
export async function* readImageCoupons(
  connection: Connection,
  shard: { batch: number; shard: number },
  issued: number,
  chunkSize: number,
): AsyncGenerator<ImageCoupons> {
  // A range is always by the primary key, also before the tables have statistics.
  await connection.query("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off");
  const read = (from: number): Promise<Buffer> => {
    const range = readRange(connection, shard, from, issued);
    // Told where it is awaited; until then a failure is nobody's.
    range.catch(() => undefined);
    return range;
  };
  let next = read(0);
  try {
    for (let from = 0; from < issued || from === 0; from += RANGE_COUPONS) {
      const bytes = await next;
      if (from + RANGE_COUPONS < issued) next = read(from + RANGE_COUPONS);
      yield* parseRange(bytes, from, chunkSize);
    }
  } finally {
    // Who stops early finds the connection free.
    await next.catch(() => undefined);
  }
}

async function readRange(
  connection: Connection,
  { batch, shard }: { batch: number; shard: number },
  from: number,
  issued: number,
): Promise<Buffer> {
  const key = [batch, shard, from].map(Number);
  // The last range is open, so that a coupon too many is not overlooked.
  const until = from + RANGE_COUPONS < issued ? `AND serial < ${from + RANGE_COUPONS}` : "";
  const stream = connection.query(
    copyTo(
      `COPY (SELECT serial, issued_at_ms / 1000, state, key_hash, user_id FROM ledger.coupon
        WHERE batch = ${key[0]} AND shard = ${key[1]} AND serial >= ${key[2]} ${until} ORDER BY serial)
       TO STDOUT (FORMAT binary)`,
    ),
  );
  const parts: Buffer[] = [];
  try {
    for await (const part of stream) parts.push(part as Buffer);
  } finally {
    // The driver's time-out of a query ends by this call-back, which a COPY never makes by itself.
    (stream as { callback?: () => void }).callback?.();
  }
  return Buffer.concat(parts);
}

function* parseRange(bytes: Buffer, from: number, chunkSize: number): Generator<ImageCoupons> {
  let at = HEADER_BYTES;
  let first = from;
  while (bytes.readInt16BE(at) !== END_OF_ROWS) {
    const chunk = emptyChunk(first, chunkSize);
    let count = 0;
    for (; count < chunkSize && bytes.readInt16BE(at) !== END_OF_ROWS; count += 1) {
      at = parseRow(bytes, at, chunk, count);
    }
    first += count;
    yield chunk;
  }
}

function emptyChunk(first: number, size: number): ImageCoupons {
  return {
    first,
    userIds: [],
    keyHashes: new Uint8Array(size * 8),
    issuedAtSeconds: [],
    touched: new Uint8Array(size),
  };
}

/** Takes in the row that starts at `at`; gives where the next one does. */
function parseRow(bytes: Buffer, at: number, chunk: ImageCoupons, index: number): number {
  const serial = bytes.readInt32BE(at + 6);
  if (serial !== chunk.first + index)
    throw new RangeError(`coupon ${serial} comes where ${chunk.first + index} is due`);
  chunk.issuedAtSeconds.push(bytes.readUInt32BE(at + 14) * 0x1_0000_0000 + bytes.readUInt32BE(at + 18));
  chunk.touched[index] = touchedBy[bytes.readInt16BE(at + 26) as StoredState];
  for (let i = 0; i < 8; i += 1) chunk.keyHashes[index * 8 + i] = bytes[at + 32 + i] as number;
  const end = at + FIXED_BYTES + bytes.readInt32BE(at + 40);
  chunk.userIds.push(bytes.toString("utf8", at + FIXED_BYTES, end));
  return end;
}
