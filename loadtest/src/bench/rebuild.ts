import { setTimeout as sleep } from "node:timers/promises";
import { CouponClient, type ManagedBatch } from "@coupon/client";
import { connectRedis } from "@coupon/redis";
import { makeBatch } from "./batches.ts";
import { type BenchContext, untilQuiet } from "./context.ts";
import { grantCoupons } from "./grant-coupons.ts";
import { commandsOf, timeBareLoad } from "./lost-shards.ts";
import { type Measure, toMeasure } from "./measures.ts";

const couponsAtOnce = 100_000;
const claimsPerSecond = 100;
const claimsAtOnceMax = 500;
const rebuiltWithinMs = 600_000;

/** So many coupons are wiped: 10 million, or what `BENCH_REBUILD_COUPONS` says for a quick look. */
export function rebuildCoupons(): number {
  const coupons = Number(process.env.BENCH_REBUILD_COUPONS ?? 10_000_000);
  if (!Number.isInteger(coupons) || coupons < couponsAtOnce || coupons > 50_000_000) {
    throw new Error(`BENCH_REBUILD_COUPONS is a number from ${couponsAtOnce} to 50000000`);
  }
  return coupons;
}

/**
 * Grants the coupons of one batch, empties the stack's Redis with FLUSHALL while users go on claiming, and times from
 * the wipe until a claim of that batch succeeds that began after it; against the same keys written by one command each.
 */
export async function measureRebuild(context: BenchContext): Promise<Measure> {
  const coupons = rebuildCoupons();
  const { local, desk, progress } = context;
  const batch = await makeBatch(desk, "rebuild", { total: coupons + 1_000_000, perUser: 1 });
  await fill(context, batch, coupons, "rebuild");
  const redis = await connectRedis({ url: local.addresses.redisUrl, cluster: false, commandTimeoutMs: 60_000 });
  try {
    const { seconds, claimed } = await wipe(context, batch, () => redis.flushall().then(() => undefined));
    const rate = coupons / seconds;
    progress(`rebuild: ${Math.round(rate)} coupons/s, served again after ${seconds.toFixed(1)} s`);
    await untilQuiet(context);
    const { commands, keys } = await commandsOf(redis, `${local.keyPrefix}{${batch.batchNumber}.`);
    const bare = await timeBareLoad(context, commands, keys);
    const words = (it: number) => Math.round(it).toLocaleString("en-US");
    const note =
      `${words(coupons)} coupons in ${batch.shards ?? 1} shard(s): ${words(rate)}/s from FLUSHALL to the first success ` +
      `(${seconds.toFixed(1)} s, ${claimed} claims tried meanwhile), ${words(coupons / bare)}/s bare (${words(keys)} keys)`;
    return toMeasure("rebuild", [rate / (coupons / bare)], note);
  } finally {
    await redis.close();
  }
}

export async function fill(context: BenchContext, batch: ManagedBatch, coupons: number, run: string): Promise<void> {
  for (let from = 0; from < coupons; from += couponsAtOnce) {
    await grantCoupons(context, batch.batchId, `${run}-${from}`, Math.min(couponsAtOnce, coupons - from));
    if (from % 1_000_000 === 0) context.progress(`${run}: ${from.toLocaleString("en-US")} coupons granted`);
  }
  await untilQuiet(context);
}

/** Seconds from the wipe to the end of the first claim that began after it and got a coupon. */
async function wipe(
  context: BenchContext,
  batch: ManagedBatch,
  wipeNow: () => Promise<void>,
): Promise<{ seconds: number; claimed: number }> {
  const { keyId, secret } = context.caller;
  const client = new CouponClient({
    baseUrl: context.local.urls.issuing,
    keyId,
    secret,
    attemptsMax: 1,
    connections: 64,
  });
  const underWay = new Set<Promise<void>>();
  let wipedAt = Number.POSITIVE_INFINITY;
  let servedAt = 0;
  let claimed = 0;
  const probe = () => {
    if (underWay.size >= claimsAtOnceMax) return;
    const beganAt = performance.now();
    if (beganAt > wipedAt) claimed += 1;
    const ordinal = `${Math.round(beganAt * 1_000)}`;
    const one = client.claim(batch.batchId, { userId: `traffic-${ordinal}` }).then((result) => {
      underWay.delete(one);
      if (result.ok && beganAt > wipedAt && servedAt === 0) servedAt = performance.now();
    });
    underWay.add(one);
  };
  const timer = setInterval(probe, 1_000 / claimsPerSecond);
  try {
    await sleep(2_000);
    const startedAt = performance.now();
    await wipeNow();
    wipedAt = performance.now();
    while (servedAt === 0 && performance.now() - startedAt < rebuiltWithinMs) await sleep(10);
    if (servedAt === 0) throw new Error(`the batch was not served again within ${rebuiltWithinMs} ms`);
    return { seconds: (servedAt - startedAt) / 1_000, claimed };
  } finally {
    clearInterval(timer);
    await Promise.all(underWay);
    await client.close();
  }
}
