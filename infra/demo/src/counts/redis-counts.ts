import type { ShardCalls } from "@coupon/redis";
import type { BatchCounts, Counts } from "./counts.ts";

/** A coupon by its place. */
export interface CouponPlace {
  batchNumber: number;
  shard: number;
  serial: number;
}

const shardsAtOnce = 200;
const recordsAtOnce = 500;

/**
 * Counts what Redis has: the shards' allotments less what is left in them, whatever stock has moved between them, and
 * of the coupons given, those that have a redemption on record there.
 */
export async function countRedis(
  calls: ShardCalls,
  batches: readonly { batchNumber: number; shards: number }[],
  redeemed: readonly CouponPlace[],
): Promise<Counts> {
  const counts = new Map<number, BatchCounts>();
  const shards = batches.flatMap(({ batchNumber, shards }) =>
    Array.from({ length: shards }, (_, shard) => ({ batch: batchNumber, shard })),
  );
  for (let from = 0; from < shards.length; from += shardsAtOnce) {
    const some = shards.slice(from, from + shardsAtOnce);
    const headers = await calls.readHeaders(some);
    for (const [i, { batch }] of some.entries()) {
      const counted = counts.get(batch) ?? { issued: 0, redeemed: 0 };
      const header = headers[i];
      counted.issued += (header?.rules?.allotment ?? 0) - (header?.left ?? 0);
      counts.set(batch, counted);
    }
  }
  for (const group of byShard(redeemed)) {
    const [{ batchNumber, shard }] = group;
    const counted = counts.get(batchNumber) ?? { issued: 0, redeemed: 0 };
    counts.set(batchNumber, counted);
    for (let from = 0; from < group.length; from += recordsAtOnce) {
      const serials = group.slice(from, from + recordsAtOnce).map((it) => it.serial);
      const records = await calls.readRecords({ batch: batchNumber, shard }, serials);
      counted.redeemed += records.filter((it) => (it?.record.redemptions.length ?? 0) > 0).length;
    }
  }
  return counts;
}

function byShard(coupons: readonly CouponPlace[]): [CouponPlace, ...CouponPlace[]][] {
  const groups = Map.groupBy(coupons, (it) => `${it.batchNumber}.${it.shard}`);
  return [...groups.values()] as [CouponPlace, ...CouponPlace[]][];
}
