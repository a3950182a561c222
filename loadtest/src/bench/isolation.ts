import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectRedis, createShardCalls } from "@coupon/redis";
import { writeFeed } from "../generator/feed.ts";
import { makeBatch } from "./batches.ts";
import { type BenchContext, connections, durationMs, untilQuiet, warmUpMs } from "./context.ts";
import { claimRequests } from "./loads.ts";
import { type Measure, toMeasure } from "./measures.ts";
import { fill } from "./rebuild.ts";

const lostCoupons = 1_000_000;
const requestsPerSample = 150_000;
const recoveringWithinMs = 10_000;

/**
 * Claims of one batch at full speed before, and while a shard of another batch with a million coupons, which Redis has
 * lost, is built anew in the same process. Every round loses it again.
 */
export async function measureIsolation(context: BenchContext): Promise<Measure> {
  const lost = await makeBatch(context.desk, "lost", { total: lostCoupons + 100_000, perUser: 1 });
  const others = await makeBatch(context.desk, "others", { total: 100_000_000, perUser: 1 });
  await fill(context, lost, lostCoupons, "isolation");
  const { local, client } = context;
  const redis = await connectRedis({ url: local.addresses.redisUrl, cluster: false, commandTimeoutMs: 60_000 });
  const stem = `${local.keyPrefix}{${lost.batchNumber}.`;
  const hashKey = Buffer.from(local.stack.secrets.hashKey, "base64");
  const calls = createShardCalls({ redis, prefix: local.keyPrefix, hashKey });
  const samples: number[] = [];
  let note = "";
  let probes = 0;
  const serves = async (): Promise<boolean> => {
    probes += 1;
    return (await client.claim(lost.batchId, { userId: `isolation-probe-${probes}` })).ok;
  };
  try {
    await claimRate(context, others.batchId, "isolation-warm-up");
    for (let round = 0; round < context.rounds; round += 1) {
      await untilServed(serves);
      const before = await claimRate(context, others.batchId, `isolation-${round}-before`);
      let asked: Promise<unknown> = Promise.resolve();
      const meanwhile = await claimRate(context, others.batchId, `isolation-${round}-meanwhile`, async () => {
        await calls.drop({ batch: lost.batchNumber, shard: 0 });
        // The loss is noticed by whoever asks next; then the partition is opened again, and its other shards serve.
        asked = serves().catch(() => undefined);
      });
      const stillLost = (await redis.hexists(`${stem}0}:h`, "e")) === 0;
      await asked;
      if (!stillLost) throw new Error("isolation could not be measured: the shard was back before the window ended");
      samples.push(meanwhile / before);
      note = `last round: ${Math.round(meanwhile)} ÷ ${Math.round(before)} claims/s, ${lostCoupons} coupons lost`;
      context.progress(`isolation, round ${round + 1}: ${note}`);
    }
    await untilServed(serves);
  } finally {
    await redis.close();
  }
  return toMeasure("isolation", samples, note);
}

async function untilServed(serves: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 120_000 + recoveringWithinMs;
  while (performance.now() < deadline) {
    if (await serves()) return;
    await sleep(100);
  }
  throw new Error("The lost shard did not come back");
}

/** @param during happens in the warm-up, with the load under way */
async function claimRate(
  context: BenchContext,
  batchId: string,
  run: string,
  during: () => Promise<void> = async () => {},
): Promise<number> {
  await untilQuiet(context);
  const { port, host } = new URL(context.local.urls.issuing);
  const feed = join(context.folder, "isolation");
  writeFeed(feed, host, claimRequests(context.caller, batchId, run, requestsPerSample));
  const job = { host: "127.0.0.1", port: Number(port), connections, feed, repeat: false, watch: [] };
  const running = context.generator.run({ ...job, warmUpMs, durationMs });
  const [sample] = await Promise.all([running, sleep(warmUpMs / 4).then(during)]);
  const answers = Object.values(sample.allStatuses).reduce((sum, it) => sum + it, 0);
  if ((sample.allStatuses[201] ?? 0) < answers || sample.seconds < 2) {
    throw new Error(`isolation could not be measured: ${JSON.stringify(sample.allStatuses)}`);
  }
  return sample.perSecond;
}
