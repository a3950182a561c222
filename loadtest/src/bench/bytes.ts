import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { connectRedis, createShardCalls, type RedisConnection } from "@coupon/redis";
import { startRedis } from "@coupon/stack";
import type { BenchContext } from "./context.ts";
import { DirectShards } from "./direct-shards.ts";
import { type Measure, toMeasure } from "./measures.ts";

const claimsPerCall = 500;
const userIdCharactersMax = 128;
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-";

/**
 * Fills a Redis of its own, set up like the stack's, with coupons of as many users with random ids of up to 128
 * characters, by the claim script, and divides what its memory grew by.
 */
export async function measureBytes(
  context: BenchContext,
  id: "bytes_1m" | "bytes_10m",
  coupons: number,
): Promise<Measure> {
  const running = await startRedis({ directory: join(context.folder, id), ephemeral: true });
  const redis = await connectRedis({ url: running.url, cluster: false, commandTimeoutMs: 30_000 });
  try {
    const calls = createShardCalls({ redis, prefix: "bench", hashKey: randomBytes(32) });
    // The scripts are loaded before anything is counted.
    await DirectShards.open(calls, 1, 1, 1);
    const before = await usedMemoryBytes(redis);
    const shards = await DirectShards.open(calls, 2, context.local.log.partitions, coupons);
    await fill(context, shards, coupons, id);
    const bytes = ((await usedMemoryBytes(redis)) - before) / coupons;
    return toMeasure(id, [bytes], `${shards.count} shards, stock of just as many coupons, one a user`);
  } finally {
    await redis.close();
    await running.stop();
  }
}

async function fill(context: BenchContext, shards: DirectShards, coupons: number, id: string): Promise<void> {
  // Each shard gets just its part of the stock; which users are in it doesn't matter to its memory.
  const parts = Array.from({ length: shards.count }, (_, i) => Math.floor((coupons + i) / shards.count));
  let done = 0;
  let shown = 0;
  const work = parts.map(async (part, shard) => {
    for (let left = part; left > 0; left -= claimsPerCall) {
      const count = Math.min(left, claimsPerCall);
      await shards.claim(shard, Array.from({ length: count }, randomClaim));
      done += count;
      if (done - shown >= coupons / 10) {
        shown = done;
        context.progress(`${id}: ${done.toLocaleString("en-US")} coupons`);
      }
    }
  });
  await Promise.all(work);
}

let ordinal = 0;

function randomClaim() {
  ordinal += 1;
  const length = 12 + Math.floor(Math.random() * (userIdCharactersMax - 11));
  let userId = ordinal.toString(36);
  while (userId.length < length) userId += alphabet[Math.floor(Math.random() * alphabet.length)];
  return { userId, callerId: "bench", key: userId.slice(0, 64), via: "c" as const, permitted: true };
}

async function usedMemoryBytes(redis: RedisConnection): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1] ?? Number.NaN);
}
