/**
 * Hot bytes a coupon: real claims of as many users, one coupon each, through the shard calls.
 * Usage: node bench/bytes.ts [coupons, default 1000000] [claims a second that the shard's clock is made to show]
 *        node bench/bytes.ts layouts: what slots of other sizes would take, at 1 million
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis } from "@coupon/testkit";
import {
  bucketsFor,
  connectRedis,
  createShardCalls,
  type RedisConnection,
  type ShardAddress,
  shardOf,
} from "../src/index.ts";
import { setClockOffset } from "../src/testing.ts";

const BATCH = 500;
const COUPONS_PER_SHARD = 1_250_000;
const PREFIX = "coupon";
let isFirstFill = true;

async function memory(redis: RedisConnection): Promise<{ used: number; ratio: number; rss: number }> {
  const info = await redis.info("memory");
  const read = (field: string): number => Number(new RegExp(`^${field}:([\\d.]+)`, "m").exec(info)?.[1]);
  return {
    used: read("used_memory"),
    ratio: read("allocator_active") / read("allocator_allocated"),
    rss: read("used_memory_rss"),
  };
}

async function fillByClaims(redis: RedisConnection, coupons: number, perSecond: number): Promise<void> {
  const shards = Math.ceil(coupons / COUPONS_PER_SHARD);
  const hashKey = Buffer.alloc(32, 3);
  const calls = createShardCalls({ redis, prefix: PREFIX, hashKey });
  const users: string[][] = Array.from({ length: shards }, () => []);
  // Users don't fall evenly on shards, so that a shard's stock leaves some room, as it does in life.
  const allotment = Math.ceil((coupons / shards) * 1.02);
  const rules = {
    version: 1,
    state: "issuing",
    revoked: false,
    fromMs: 0,
    untilMs: 9e12,
    perDay: null,
    perUser: 1,
  } as const;
  const full = { ...rules, allotment, perUserPerDay: null, buckets: bucketsFor(Math.ceil(coupons / shards)) };
  const last: { number: number; hash: string }[] = [];
  const at = (shard: number): ShardAddress => ({ batch: 1, shard });
  for (let shard = 0; shard < shards; shard += 1) {
    await calls.open(at(shard), null, 1);
    const applied = await calls.changeRules(at(shard), { epoch: 1, hash: "", durable: 0, durableOffset: -1 }, full);
    if (applied.kind !== "applied") throw new Error(`shard ${shard} took no rules`);
    last.push(applied);
  }
  const flush = async (shard: number): Promise<void> => {
    const requests = (users[shard] ?? []).map((userId) => ({
      userId,
      callerId: "shop-app",
      key: `k-${userId}`,
      via: "c" as const,
      permitted: true,
    }));
    users[shard] = [];
    if (requests.length === 0) return;
    const { number, hash } = last[shard] ?? { number: 0, hash: "" };
    if (perSecond > 0)
      await setClockOffset(redis, PREFIX, at(shard), Math.ceil(((number - 1) * BATCH * 1_000) / perSecond));
    const result = await calls.claim(
      at(shard),
      { epoch: 1, hash, durable: number, durableOffset: number },
      [0],
      requests,
    );
    if (result.kind !== "applied" || result.entry === null)
      throw new Error(`shard ${shard}: ${JSON.stringify(result).slice(0, 200)}`);
    last[shard] = result;
  };
  for (let n = 0; n < coupons; n += 1) {
    const userId = `user-${n.toString(36)}-of-some-length`;
    const shard = shardOf(hashKey, 1, userId, shards);
    if (users[shard]?.push(userId) === BATCH) await flush(shard);
  }
  for (let shard = 0; shard < shards; shard += 1) await flush(shard);
}

async function fillBySizes(
  redis: RedisConnection,
  coupons: number,
  buckets: number,
  field: number,
  value: number,
): Promise<void> {
  const script = readFileSync(new URL("layouts.lua", import.meta.url), "utf8");
  for (let from = 0; from < coupons; from += 20_000) await redis.eval(script, 0, from, 20_000, buckets, field, value);
}

async function measure(
  redis: RedisConnection,
  what: string,
  coupons: number,
  fill: () => Promise<void>,
): Promise<void> {
  await redis.flushall("SYNC");
  const before = await memory(redis);
  await fill();
  const after = await memory(redis);
  const bytes = (after.used - before.used) / coupons;
  // A server that was filled before keeps pages, so that only the first fill tells what is resident.
  const resident = isFirstFill ? `, resident ${((after.rss - before.rss) / coupons).toFixed(2)} B` : "";
  isFirstFill = false;
  console.log(`${what.padEnd(64)} ${bytes.toFixed(2)} B${resident}, active/allocated ${after.ratio.toFixed(2)}`);
}

const directory = mkdtempSync(join(tmpdir(), "coupon-bench-"));
const server = await startRedis({ directory, ephemeral: true, port: 21_011 });
const redis = await connectRedis({ url: server.url, cluster: false, commandTimeoutMs: 60_000 });
if (process.argv[2] === "layouts") {
  const sizes: [string, number, number][] = [
    ["field 7, serial 4, second 4, key 8", 7, 16],
    ["field 6, serial 4, second 4, key 8", 6, 16],
    ["field 6, serial 3, second 3, key 8", 6, 14],
    ["field 7, serial 3, key 8; seconds in an index", 7, 11],
    ["field 6, serial 3, key 8; seconds in an index", 6, 11],
  ];
  for (const [what, field, value] of sizes) {
    for (const per of [64, 128, 160, 256]) {
      await measure(redis, `${what}; ${per} a bucket`, 1e6, () =>
        fillBySizes(redis, 1e6, Math.ceil(1e6 / per), field, value),
      );
    }
  }
} else {
  const coupons = Number(process.argv[2] ?? 1_000_000);
  const perSecond = Number(process.argv[3] ?? 0);
  await measure(redis, `${coupons} coupons by claims`, coupons, () => fillByClaims(redis, coupons, perSecond));
}
await redis.close();
await server.stop();
rmSync(directory, { recursive: true, force: true });
