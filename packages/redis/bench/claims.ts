/**
 * Claims a second that claim.lua itself does, called straight from ioredis with batches packed ahead, and what
 * packing costs. Usage: node bench/claims.ts [batch size]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis } from "@coupon/testkit";
import type { ClaimRequest, ShardAddress } from "../src/index.ts";
import { bucketsFor, connectRedis, createShardCalls } from "../src/index.ts";
import { createKeys, loadScript, packClaims, runScript } from "../src/testing.ts";

const SIZE = Number(process.argv[2] ?? 500);
const SHARDS = 4;
const BATCHES = Math.ceil(100_000 / SIZE);
const STOCK = 1_250_000;

const directory = mkdtempSync(join(tmpdir(), "coupon-bench-"));
const server = await startRedis({ directory, ephemeral: true, port: 21_010, settings: ["appendonly no"] });
const redis = await connectRedis({ url: server.url, cluster: false });
const hashKey = Buffer.alloc(32, 1);
const naming = { keys: createKeys("coupon"), hashKey };
const calls = createShardCalls({ redis, prefix: "coupon", hashKey });
const script = loadScript("claim");
const buckets = bucketsFor(STOCK);
const days = [Math.floor(Date.now() / 86_400_000) * 86_400_000];

const request = (user: number): ClaimRequest => ({
  userId: `user-${user}`,
  callerId: "shop-app",
  key: `claim-${user}`,
  via: "c",
  permitted: true,
});

interface Plan {
  at: ShardAddress;
  calls: ReturnType<typeof packClaims>[];
}

/** All are packed ahead; the hash of the entry that each goes on from is put in when it is known. */
function plan(at: ShardAddress, firstUser: number, number: number, grows: number): Plan {
  const packed = Array.from({ length: BATCHES }, (_, index) => {
    const requests = Array.from({ length: SIZE }, (_unused, n) => request(firstUser + index * SIZE + n));
    const before = number + index * grows;
    return packClaims(
      naming,
      at,
      { epoch: 1, hash: "", durable: before, durableOffset: before },
      days,
      buckets,
      requests,
    );
  });
  return { at, calls: packed };
}

interface Speed {
  perSecond: number;
  /** Claims a second of processor time of Redis' main thread, protocol and all: other work on the machine weighs less. */
  perCpuSecond: number;
}

async function cpuSeconds(): Promise<number> {
  const info = await redis.info("cpu");
  const read = (kind: string): number => Number(new RegExp(`used_cpu_${kind}_main_thread:([\\d.]+)`).exec(info)?.[1]);
  return read("user") + read("sys");
}

async function run(plans: Plan[]): Promise<Speed> {
  const cpuBefore = await cpuSeconds();
  const began = performance.now();
  await Promise.all(
    plans.map(async ({ at, calls: packed }) => {
      let [hash] = (await calls.readHeaders([at])).map((header) => header?.hash ?? "");
      for (const { keys, args } of packed) {
        args[1] = hash ?? "";
        hash = ((await runScript(redis, script, keys, args)) as string[])[5];
      }
    }),
  );
  const claims = plans.length * BATCHES * SIZE;
  const perSecond = claims / ((performance.now() - began) / 1_000);
  return { perSecond, perCpuSecond: claims / ((await cpuSeconds()) - cpuBefore) };
}

const rules = {
  version: 1,
  state: "issuing",
  revoked: false,
  fromMs: 0,
  untilMs: 9e12,
  perDay: null,
  perUser: 1,
} as const;
const print = (what: string, { perSecond, perCpuSecond }: Speed): void =>
  console.log(
    `${what.padEnd(10)} ${Math.round(perSecond)} a second, ${Math.round(perCpuSecond)} a second of Redis' processor`,
  );
const all = async (firstBatch: number, rounds: number, stock: number): Promise<Plan[][]> => {
  const addresses = Array.from({ length: SHARDS }, (_, shard) => ({ batch: firstBatch, shard }));
  for (const at of addresses) {
    await calls.open(at, null, 1);
    const expect = { epoch: 1, hash: "", durable: 0, durableOffset: -1 };
    await calls.changeRules(at, expect, { ...rules, allotment: stock, perUserPerDay: null, buckets });
  }
  return Array.from({ length: rounds }, (_, round) =>
    addresses.map((at) => plan(at, round * BATCHES * SIZE, 1 + (stock > 0 ? round * BATCHES : 0), stock > 0 ? 1 : 0)),
  );
};

const began = performance.now();
const issuing = await all(1, 4, STOCK);
const packing = ((performance.now() - began) * 1_000) / (4 * SHARDS * BATCHES * SIZE);
console.log(
  `${SIZE} claims a call, ${SHARDS} shards, ${buckets} buckets each; packing ${packing.toFixed(2)} µs a claim`,
);
for (const plans of issuing) print("issued", await run(plans));
const replay = issuing[0]?.map(({ at }) => plan(at, 0, 1 + 4 * BATCHES, 0)) ?? [];
print("replayed", await run(replay));
const soldOut = await all(2, 1, 0);
for (const plans of soldOut) print("sold out", await run(plans));
await redis.close();
await server.stop();
rmSync(directory, { recursive: true, force: true });
