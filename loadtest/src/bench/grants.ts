import { join } from "node:path";
import type { ManagedBatch } from "@coupon/client";
import { signRequest } from "@coupon/client";
import { connectRedis, createShardCalls } from "@coupon/redis";
import { type HttpRequest, writeFeed } from "../generator/feed.ts";
import { makeBatch } from "./batches.ts";
import { type BenchContext, durationMs, untilQuiet, warmUpMs } from "./context.ts";
import { DirectShards } from "./direct-shards.ts";
import { type Measure, toMeasure } from "./measures.ts";

const grantsPerRequest = 500;
/** Each carries 500 grants: more connections would only queue, and in the end be told that they are too many. */
const grantConnections = 16;
const leastSeconds = 2;
const requestsPerRound = 3_000;

/** Grants over HTTP, against the claim script called by one Node process, one call under way on each shard. */
export async function measureGrants(context: BenchContext): Promise<Measure> {
  const batch = await makeBatch(context.desk, "grants", { total: 100_000_000, perUser: 1 });
  // Not counted: code on both sides becomes hot.
  await measureHttp(context, batch, `${Date.now().toString(36)}-warm`);
  await measureDirect(context, batch, -1);
  const samples: number[] = [];
  let note = "";
  for (let round = 0; round < context.rounds; round += 1) {
    await untilQuiet(context);
    const run = `${Date.now().toString(36)}-${round}`;
    const inTurn = round % 2 === 0;
    const first = inTurn ? await measureHttp(context, batch, run) : await measureDirect(context, batch, round);
    await untilQuiet(context);
    const second = inTurn ? await measureDirect(context, batch, round) : await measureHttp(context, batch, run);
    const [http, direct] = inTurn ? [first, second] : [second, first];
    samples.push(http / direct);
    const rate = (it: number) => `${Math.round(it).toLocaleString("en-US")}/s`;
    note = `last round: ${rate(http)} over HTTP (${grantConnections} connections), ${rate(direct)} by the script alone`;
    context.progress(`grants, round ${round + 1}: ${note}`);
  }
  return toMeasure("grants", samples, note);
}

async function measureHttp(context: BenchContext, batch: ManagedBatch, run: string): Promise<number> {
  const { port, host } = new URL(context.local.urls.issuing);
  const feed = join(context.folder, "grants");
  writeFeed(feed, host, grantRequests(context, batch.batchId, run, requestsPerRound));
  const times = { warmUpMs, durationMs };
  const job = { host: "127.0.0.1", port: Number(port), connections: grantConnections, feed, watch: [], ...times };
  const sample = await context.generator.run({ ...job, repeat: false });
  const answers = Object.values(sample.allStatuses).reduce((sum, it) => sum + it, 0);
  if (sample.allStatuses[200] !== answers || sample.seconds < leastSeconds) {
    throw new Error(`grants could not be measured: ${JSON.stringify(sample.allStatuses)}`);
  }
  return sample.perSecond * grantsPerRequest;
}

function* grantRequests(
  { caller }: BenchContext,
  batchId: string,
  run: string,
  count: number,
): Generator<HttpRequest, void, undefined> {
  const path = `/v1/batches/${batchId}/grants`;
  for (let i = 0; i < count; i += 1) {
    const grants = Array.from({ length: grantsPerRequest }, (_, j) => {
      const ordinal = i * grantsPerRequest + j;
      return { idempotencyKey: `grant-${run}-${ordinal}`, userId: `user-${run}-${ordinal}` };
    });
    const body = JSON.stringify({ grants });
    const signed = signRequest({ method: "POST", path, body, keyId: caller.keyId, secret: caller.secret });
    yield { method: "POST", path, headers: { "content-type": "application/json", ...signed }, body };
  }
}

async function measureDirect({ local, caller }: BenchContext, batch: ManagedBatch, round: number): Promise<number> {
  const redis = await connectRedis({ url: local.addresses.redisUrl, cluster: false });
  try {
    const hashKey = Buffer.from(local.stack.secrets.hashKey, "base64");
    const calls = createShardCalls({ redis, prefix: `direct-${round + 1}`, hashKey });
    const shards = await DirectShards.open(calls, 1, batch.shards ?? 1, 100_000_000);
    const startedAt = performance.now();
    const countFrom = startedAt + warmUpMs;
    const until = countFrom + durationMs;
    let ordinal = 0;
    let counted = 0;
    const work = Array.from({ length: shards.count }, async (_, shard) => {
      while (performance.now() < until) {
        const requests = Array.from({ length: grantsPerRequest }, () => {
          ordinal += 1;
          return {
            userId: `user-${ordinal}`,
            callerId: caller.id,
            key: `k-${ordinal}`,
            via: "g" as const,
            permitted: true,
          };
        });
        await shards.claim(shard, requests);
        const at = performance.now();
        if (at >= countFrom && at < until) counted += grantsPerRequest;
      }
    });
    await Promise.all(work);
    await Promise.all(Array.from({ length: shards.count }, (_, shard) => calls.drop({ batch: 1, shard })));
    return counted / (durationMs / 1_000);
  } finally {
    await redis.close();
  }
}
