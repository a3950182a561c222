/**
 * Processor time of Redis for redemptions in one step: the tie of the order, and the script, each in batches.
 * Usage: node bench/redeems.ts [batch size]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedis } from "@coupon/testkit";
import type { ClaimRequest, Expectation, RedeemRequest } from "../src/index.ts";
import { bucketsFor, connectRedis, createOrderGuard, createShardCalls } from "../src/index.ts";

const SIZE = Number(process.argv[2] ?? 100);
const BATCHES = Math.ceil(20_000 / SIZE);
const ROUNDS = 5;
const STOCK = 1_250_000;
const AT = { batch: 1, shard: 0 };
const DAY_MS = 86_400_000;

const directory = mkdtempSync(join(tmpdir(), "coupon-bench-"));
const server = await startRedis({ directory, ephemeral: true, settings: ["appendonly no"] });
const redis = await connectRedis({ url: server.url, cluster: false });
const calls = createShardCalls({ redis, prefix: "coupon", hashKey: Buffer.alloc(32, 1) });
const guard = createOrderGuard({ redis, prefix: "coupon" });
let expect: Expectation = { epoch: 1, hash: "", durable: 0, durableOffset: -1 };

function moveTo({ number, hash }: { number: number; hash: string }): void {
  expect = { epoch: 1, hash, durable: number, durableOffset: number };
}

async function mainThreadMicroseconds(): Promise<number> {
  const info = await redis.info("cpu");
  const of = (name: string): number => Number(new RegExp(`used_cpu_${name}_main_thread:(\\S+)`).exec(info)?.[1]);
  return (of("user") + of("sys")) * 1e6;
}

async function open(): Promise<void> {
  await calls.open(AT, null, 1);
  await guard.restore(async function* () {});
  const now = Date.now();
  const rules = {
    version: 1,
    state: "issuing",
    revoked: false,
    fromMs: now - DAY_MS,
    untilMs: now + DAY_MS,
    allotment: STOCK,
    perDay: null,
    perUser: 1,
    perUserPerDay: null,
    buckets: bucketsFor(STOCK),
  } as const;
  const applied = await calls.changeRules(AT, expect, rules);
  if (applied.kind !== "applied") throw new Error("no rules");
  moveTo(applied);
}

async function issue(first: number): Promise<void> {
  const requests = Array.from({ length: SIZE }, (_, n): ClaimRequest => {
    const user = `user-${first + n}`;
    return { userId: user, callerId: "shop", key: user, via: "c", permitted: true };
  });
  const applied = await calls.claim(AT, expect, [], requests);
  if (applied.kind !== "applied" || applied.outcomes.some(({ kind }) => kind !== "issued"))
    throw new Error("no coupon");
  moveTo(applied);
}

function redemption(serial: number): RedeemRequest {
  const lines = [{ lineId: "1", quantity: 1, discount: 100 }];
  return {
    serial,
    userId: `user-${serial}`,
    callerId: "shop",
    orderId: `order-${serial}`,
    permitted: true,
    validFromMs: 0,
    validUntilMs: Date.now() + DAY_MS,
    order: {
      payload: "0123456789abcdef",
      verdict: { kind: "discount", discount: { discount: 100, currency: "USD", lines } },
    },
  };
}

async function redeem(first: number): Promise<void> {
  const applied = await calls.redeem(
    AT,
    expect,
    Array.from({ length: SIZE }, (_, n) => redemption(first + n)),
  );
  if (applied.kind !== "applied" || applied.outcomes.some(({ kind }) => kind !== "redeemed"))
    throw new Error("refused");
  moveTo(applied);
}

async function tie(first: number): Promise<void> {
  const ties = Array.from({ length: SIZE }, (_, n) =>
    guard.claim(`shop/order-${first + n}`, [`C${first + n}`], DAY_MS),
  );
  if ((await Promise.all(ties)).some(({ outcome }) => outcome !== "first")) throw new Error("tied already");
}

/** Of Redis' main thread and of the wall clock for each of one round's operations. */
async function measure(round: number, work: (first: number) => Promise<void>): Promise<string> {
  const startedAt = performance.now();
  const before = await mainThreadMicroseconds();
  for (let batch = 0; batch < BATCHES; batch += 1) await work((round * BATCHES + batch) * SIZE);
  const each = BATCHES * SIZE;
  const redisMicroseconds = ((await mainThreadMicroseconds()) - before) / each;
  const wallMicroseconds = ((performance.now() - startedAt) * 1_000) / each;
  return `${redisMicroseconds.toFixed(1)} µs of Redis, ${wallMicroseconds.toFixed(1)} µs in all`;
}

try {
  await open();
  for (let round = 0; round < ROUNDS; round += 1) {
    await measure(round, issue);
    console.log(`batches of ${SIZE}: tie ${await measure(round, tie)}; redeem ${await measure(round, redeem)}`);
  }
} finally {
  await redis.close();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}
