import { rmSync } from "node:fs";
import { join } from "node:path";
import { CouponClient, OperatorClient } from "@coupon/client";
import { createPool } from "@coupon/database";
import { createLogReader } from "@coupon/events";
import { connectRedis, createShardReads, type RedisConnection } from "@coupon/redis";
import { describeEvent, listenForInterruption } from "@coupon/stack";
import { readLogEnds, untilApplied } from "./applied.ts";
import { registerCallers } from "./callers.ts";
import { countLog } from "./counts/log-counts.ts";
import { countPostgres } from "./counts/postgres-counts.ts";
import { countRedis } from "./counts/redis-counts.ts";
import { loadDataset } from "./dataset.ts";
import { explain } from "./explain.ts";
import { Figures } from "./figures.ts";
import { KnownIds } from "./known-ids.ts";
import { type LocalStack, signTokens, stackFolder, startLocalStack } from "./local-stack.ts";
import { progressBar } from "./replay/progress-bar.ts";
import { type ReplayOptions, readReplayOptions } from "./replay/replay-options.ts";
import { reportReplay } from "./replay/replay-report.ts";
import { type ReplayedCampaign, replayCampaigns } from "./replay/replay-run.ts";

/**
 * `npm run replay`: the whole year of the data set on a stack of its own, which it throws away at the end. The exit
 * status says whether PostgreSQL, Redis, the log and the data set agree to the unit.
 */
const stackName = "replay";
const appliedWithinMs = 600_000;
const say = (text: string): void => void process.stdout.write(`${text}\n`);
process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const interruption = listenForInterruption();
  const figures = new Figures(say);
  let local: LocalStack | undefined;
  let keep = true;
  try {
    const options = readReplayOptions(args);
    say("Starting a stack of its own for the replay.");
    const onEvent = (event: Parameters<typeof describeEvent>[0]) => say(`  ${describeEvent(event)}`);
    local = await startLocalStack({ name: stackName, onEvent, signal: interruption.signal });
    keep = options.keep;
    await replay(local, options, figures);
    const right = figures.checked - figures.wrong;
    say(`\n${right} of ${figures.checked} figures are right.`);
    return figures.wrong === 0 ? 0 : 1;
  } catch (error) {
    if (interruption.signal.aborted) return 130;
    process.stderr.write(`\n${explain(error)}\n`);
    return 1;
  } finally {
    await local?.stack.stop();
    interruption.dispose();
    if (!keep) rmSync(stackFolder(stackName), { recursive: true, force: true });
  }
}

async function replay(local: LocalStack, options: ReplayOptions, figures: Figures): Promise<void> {
  const { perUser } = options;
  const campaigns = loadDataset().campaigns.filter(
    (it) => options.campaigns.length === 0 || options.campaigns.includes(it.campaignId),
  );
  const { caller } = await registerCallers(local);
  const tokens = await signTokens(local.stack);
  const operator = new OperatorClient({ baseUrl: local.urls.campaigns, token: tokens.operatorToken });
  const approver = new OperatorClient({ baseUrl: local.urls.campaigns, token: tokens.approverToken });
  const { keyId, secret } = caller;
  const client = new CouponClient({ baseUrl: local.urls.issuing, keyId, secret });
  const redis = await connectRedis({ url: local.addresses.redisUrl, cluster: process.env.REDIS_CLUSTER === "true" });
  // A name of its own: each replay makes everything anew, also where an earlier one left its data.
  const known = new KnownIds(join(local.stack.local, `replay-${Date.now()}.json`));
  const desk = { operator, approver, callerIds: [caller.id], known };
  const bar = progressBar(say);
  try {
    const hotBefore = await usedMemoryBytes(redis);
    const { replayed, times } = await replayCampaigns(desk, client, campaigns, perUser, bar);
    bar.end();
    const coupons = replayed.reduce((sum, it) => sum + it.coupons, 0);
    const perSecond = Math.round(coupons / times.grants);
    await checkStores(local, redis, replayed, perUser, figures);
    const hotBytes = ((await usedMemoryBytes(redis)) - hotBefore) / coupons;
    figures.heading("Speed and memory");
    figures.note(`${coupons.toLocaleString("en-US")} coupons granted in ${times.grants.toFixed(1)} s`);
    figures.note(`${perSecond.toLocaleString("en-US")} coupons a second`);
    figures.note(`${hotBytes.toFixed(1)} hot bytes a coupon in Redis, with the batches' own keys`);
    figures.note(`batches set up in ${times.setUp.toFixed(1)} s, redemptions in ${times.redemptions.toFixed(1)} s`);
  } finally {
    bar.end();
    await Promise.all([operator, approver, client, redis].map((it) => it.close()));
  }
}

async function checkStores(
  local: LocalStack,
  redis: RedisConnection,
  replayed: ReplayedCampaign[],
  perUser: number,
  figures: Figures,
): Promise<void> {
  const { databaseUrl } = local.addresses;
  const pool = createPool({ databaseUrl, max: 2, statementTimeoutMs: 120_000, connectionTimeoutMs: 5_000 });
  const reader = createLogReader({ config: { ...local.log, clientId: "replay" }, groupId: `replay-${process.pid}` });
  try {
    await untilApplied(pool, await readLogEnds(reader, local.log.partitions), appliedWithinMs);
    await reader.connect();
    const batches = replayed.flatMap((it) => it.batches);
    const hashKey = Buffer.from(local.stack.secrets.hashKey, "base64");
    const reads = createShardReads({ redis, prefix: local.keyPrefix, hashKey });
    const counts = {
      postgres: await countPostgres(
        pool,
        batches.map((it) => it.batchNumber),
      ),
      redis: await countRedis(reads, batches),
      log: await countLog(reader, local.log.partitions),
    };
    figures.heading("The data set, PostgreSQL, Redis and the log");
    reportReplay(figures, replayed, counts, perUser, say);
  } finally {
    await reader.close();
    await pool.end();
  }
}

async function usedMemoryBytes(redis: RedisConnection): Promise<number> {
  const info = await redis.info("memory");
  return Number(/used_memory:(\d+)/.exec(info)?.[1] ?? Number.NaN);
}
