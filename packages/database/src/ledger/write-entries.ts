import type { Connection, Pool } from "../pool.ts";
import { inTransaction } from "../transaction.ts";
import { advanceStatement, type Statement } from "./advance.ts";
import { copyInto } from "./copy-into.ts";
import { type CouponCopy, couponColumns } from "./coupon-copy.ts";
import { writeFacts } from "./facts.ts";
import type { PostingWork } from "./posting-rows.ts";
import type { FactRows, PositionAdvance, ShardAdvance } from "./rows.ts";
import { writePostings } from "./write-postings.ts";

/** One transaction's work: entries of one or several partitions, already counted and coalesced. */
export interface LedgerWrite {
  positions: PositionAdvance[];
  shards: ShardAdvance[];
  coupons: CouponCopy;
  facts: FactRows;
  postings: PostingWork;
}

/**
 * A partition does not stand where the transaction begins: another ledger has written, or this
 * transaction has been committed before without its answer. Nothing was written.
 */
export class PositionMoved extends Error {
  override name = "PositionMoved";
  readonly partitions: number[];

  constructor(partitions: number[]) {
    super(`the positions of partitions ${partitions.join(", ")} have moved`);
    this.partitions = partitions;
  }
}

/**
 * Applies entries and moves the positions, all in one transaction or not at all. The compare-and-set of
 * the positions comes first: it locks their rows, so that a zombie waits, finds them moved and aborts.
 *
 * Round trips: begin, positions with shards, two for COPY where there are coupons or redemptions, one for each further
 * kind of row that there is (and for each shard of which many coupons come into one state), one for postings (two or three where entries do more than issue), commit.
 *
 * @throws PositionMoved; any error of the driver, after which a commit may or may not have happened:
 *   read the positions again
 */
export async function writeEntries(pool: Pool, write: LedgerWrite): Promise<void> {
  await inTransaction(pool, "READ COMMITTED", async (connection) => {
    await advance(connection, write);
    if (write.coupons.rows > 0) await copyCoupons(connection, write.coupons);
    await writeFacts(connection, write.facts);
    await writePostings(connection, write.postings);
  });
}

async function advance(connection: Connection, write: LedgerWrite): Promise<void> {
  const statement: Statement = advanceStatement(write.positions, write.shards);
  const { rows } = await connection.query<{ partition: number }>(statement);
  if (rows.length === write.positions.length) return;
  const moved = new Set(rows.map((row) => row.partition));
  throw new PositionMoved(write.positions.map((each) => each.partition).filter((each) => !moved.has(each)));
}

export function copyCoupons(connection: Connection, coupons: CouponCopy): Promise<void> {
  return copyInto(connection, `ledger.coupon (${couponColumns})`, coupons.finished());
}
