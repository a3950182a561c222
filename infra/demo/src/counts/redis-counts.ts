import { touchedBits } from "@coupon/domain";
import { COUPONS_IN_PAGE, type ShardAddress, type ShardReads } from "@coupon/redis";
import type { BatchCounts, Counts } from "./counts.ts";

const shardsAtOnce = 200;
const pagesAtOnce = 8;

/**
 * Counts what Redis has: the shards' allotments less what is left in them, whatever stock has moved between them, and
 * the coupons whose bits say that they are redeemed now, whoever was told so. One that has come back by a reversal does
 * not count; the replay reverses none.
 */
export async function countRedis(
  reads: ShardReads,
  batches: readonly { batchNumber: number; shards: number }[],
): Promise<Counts> {
  const counts = new Map<number, BatchCounts>();
  const shards = batches.flatMap(({ batchNumber, shards }) =>
    Array.from({ length: shards }, (_, shard) => ({ batch: batchNumber, shard })),
  );
  for (let from = 0; from < shards.length; from += shardsAtOnce) {
    const some = shards.slice(from, from + shardsAtOnce);
    const counted = await Promise.all(some.map((at) => countShard(reads, at)));
    for (const [i, { batch }] of some.entries()) {
      const sum = counts.get(batch) ?? { issued: 0, redeemed: 0 };
      sum.issued += counted[i]?.issued ?? 0;
      sum.redeemed += counted[i]?.redeemed ?? 0;
      counts.set(batch, sum);
    }
  }
  return counts;
}

async function countShard(reads: ShardReads, at: ShardAddress): Promise<BatchCounts> {
  const [header] = await reads.headers([at]);
  if (header == null) return { issued: 0, redeemed: 0 };
  const pages = Math.ceil(header.nextSerial / COUPONS_IN_PAGE);
  let redeemed = 0;
  for (let page = 0; page < pages; page += pagesAtOnce) {
    const read = await reads.pages(at, page, Math.min(pagesAtOnce, pages - page));
    for (const bits of read?.bits ?? []) redeemed += bits === null ? 0 : countRedeemed(bits);
  }
  return { issued: (header.rules?.allotment ?? 0) - header.left, redeemed };
}

function countRedeemed(page: Buffer): number {
  let redeemed = 0;
  for (const byte of page) {
    for (let shift = 0; shift < 8; shift += 2) if (((byte >> shift) & 3) === touchedBits.redeemed) redeemed += 1;
  }
  return redeemed;
}
