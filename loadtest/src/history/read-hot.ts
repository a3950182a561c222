import type { HotRow } from "@coupon/history";
import { createShardReads, type RedisConnection } from "@coupon/redis";

/** The headers in Redis of these shards; those that it does not have are left out. */
export async function readHot(
  redis: RedisConnection,
  { prefix, hashKey }: { prefix: string; hashKey: Buffer },
  shards: readonly { batch: number; shard: number }[],
): Promise<HotRow[]> {
  const headers = await createShardReads({ redis, prefix, hashKey }).headers(shards);
  return shards.flatMap(({ batch, shard }, index): HotRow[] => {
    const header = headers[index];
    if (header == null) return [];
    const { number, hash, nextSerial, left } = header;
    return [{ batch, shard, number, hash, issued: nextSerial, left }];
  });
}
