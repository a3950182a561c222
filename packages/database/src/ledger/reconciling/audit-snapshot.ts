import type { Connection, Pool } from "../../pool.ts";
import { abandon, begin, rollback } from "../../transaction.ts";
import { type PartitionPosition, readPositions } from "../partitions.ts";
import { type BooksSource, booksSourceOf } from "./books-reads.ts";
import { copyLines, type Streaming, unescaped } from "./copy-lines.ts";
import { readable } from "./readable.ts";
import { readShardPlaces, readShardRows, type ShardRow } from "./shard-rows.ts";

/** A stretch of a shard's coupons: serials `from` to `to` - 1. */
export interface SerialRange {
  batch: number;
  shard: number;
  from: number;
  to: number;
}

export type FactTable = "hold" | "redemption" | "reversal" | "release" | "deactivation";

const factColumns: Record<FactTable, string> = {
  hold: "serial, caller_id, order_id, payload, locked_at_ms, until_ms, discount",
  redemption: "serial, number, caller_id, order_id, payload, redeemed_at_ms, discount, currency, lines",
  reversal: `serial, number, caller_id, order_id, reversal_id, key_hash, payload, reason, reversed_at_ms, discount,
    remaining, currency, lines, restored`,
  release: "serial, number, caller_id, order_id, released_at_ms, held",
  deactivation: "serial, number, reason, deactivated_at_ms",
};

/**
 * A partition's tables as of one moment, whatever the ledger writes meanwhile: position, shards, coupons, facts. It
 * holds a connection until it is closed, so close it.
 */
export interface AuditSnapshot extends PartitionPosition, BooksSource {
  shards: ShardRow[];
  /** Every shard that there is a row of, in whatever partition. */
  places: Pick<ShardRow, "batch" | "shard" | "partition">[];
  /** Serial after the greatest that the shard has a row of; 0 where it has none. */
  serialsEnd(batch: number, shard: number): Promise<number>;
  /**
   * Streams the coupons of a range: serial, state, and the rest of the row as one text, `key hash, issued at ms, via,
   * user id, caller id` with tabs between.
   */
  coupons(range: SerialRange, onCoupon: (serial: number, state: number, rest: string) => void): Promise<void>;
  /** Streams a table's rows of a range: their columns as texts, in the order of the table's definition here. */
  facts(table: FactTable, range: SerialRange, onFact: (columns: string[]) => void): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param pool one whose statements the server does not end: no limit of a short statement fits a whole shard
 * @param silenceMs how long the server may be silent while it streams; the pool limits every other wait
 * @throws DatabaseFailure, here and from every read, where the server can't be reached or has fallen silent
 */
export async function openAuditSnapshot(pool: Pool, partition: number, silenceMs: number): Promise<AuditSnapshot> {
  const connection = await readable(begin(pool, "REPEATABLE READ, READ ONLY"));
  let open = true;
  let useless = false;
  const read = <Result>(reading: Promise<Result>): Promise<Result> =>
    readable(reading).catch((error: unknown) => {
      useless = true;
      throw error;
    });
  const close = async () => {
    if (open) await (useless ? abandon(connection) : rollback(connection));
    open = false;
  };
  const stream: Streaming = { connection, silenceMs };
  const books = booksSourceOf(stream);
  try {
    // The log is read while the snapshot waits.
    await read(connection.query("SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"));
    const [position] = await read(readPositions(connection, [partition]));
    const shards = await read(readShardRows(connection, [partition]));
    const places = await read(readShardPlaces(connection));
    return {
      ...(position ?? { partition, position: 0, epoch: -1 }),
      shards,
      places,
      serialsEnd: (batch, shard) => read(serialsEnd(connection, batch, shard)),
      coupons: (range, onCoupon) => read(streamCoupons(stream, range, onCoupon)),
      facts: (table, range, onFact) => read(streamFacts(stream, table, range, onFact)),
      money: (batch, shard) => read(books.money(batch, shard)),
      moneyFacts: (batch, shard, by) => read(books.moneyFacts(batch, shard, by)),
      journal: (range, onLine) => read(books.journal(range, onLine)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function serialsEnd(connection: Connection, batch: number, shard: number): Promise<number> {
  const { rows } = await connection.query<{ serial: number }>(
    "SELECT serial FROM ledger.coupon WHERE batch = $1 AND shard = $2 ORDER BY serial DESC LIMIT 1",
    [batch, shard],
  );
  return rows[0] === undefined ? 0 : rows[0].serial + 1;
}

async function streamCoupons(
  streaming: Streaming,
  range: SerialRange,
  onCoupon: (serial: number, state: number, rest: string) => void,
): Promise<void> {
  const columns = `serial, state, lpad(to_hex(key_hash), 16, '0'), issued_at_ms, via, user_id, caller_id`;
  await copyLines(streaming, `SELECT ${columns} FROM ledger.coupon WHERE ${within(range)}`, (line) => {
    const first = line.indexOf("\t");
    const second = line.indexOf("\t", first + 1);
    onCoupon(Number(line.slice(0, first)), Number(line.slice(first + 1, second)), unescaped(line.slice(second + 1)));
  });
}

function streamFacts(
  streaming: Streaming,
  table: FactTable,
  range: SerialRange,
  onFact: (columns: string[]) => void,
): Promise<void> {
  const query = `SELECT ${factColumns[table]} FROM ledger.${table} WHERE ${within(range)}`;
  return copyLines(streaming, query, (line) => onFact(line.split("\t").map(unescaped)));
}

function within({ batch, shard, from, to }: SerialRange): string {
  for (const each of [batch, shard, from, to]) {
    if (!Number.isSafeInteger(each)) throw new RangeError("a range is of whole numbers");
  }
  return `batch = ${batch} AND shard = ${shard} AND serial >= ${from} AND serial < ${to}`;
}
