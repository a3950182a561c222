import type { ShardRules } from "@coupon/domain";
import {
  type Applied,
  connectRedis,
  createShardCalls,
  createShardReads,
  type Expectation,
  type RedisConnection,
  type ShardAddress,
  type ShardCalls,
} from "@coupon/redis";
import { uniqueName } from "@coupon/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { countRedis } from "./redis-counts.ts";

const hashKey = Buffer.alloc(32, 7);
const always = { validFromMs: 0, validUntilMs: 9_000_000_000_000 };
const discount = { discount: 500, currency: "CNY", lines: [{ lineId: "1", quantity: 1, discount: 500 }] };
const rules: ShardRules = {
  ...{ version: 1, state: "issuing", revoked: false, fromMs: 0, untilMs: 9_000_000_000_000, allotment: 10_000 },
  ...{ perDay: null, perUser: 1, perUserPerDay: null, buckets: 64 },
};
const claimsInCall = 1_000;
let redis: RedisConnection;
beforeAll(async () => {
  redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
});
afterAll(() => redis.close());

/** The owner of one shard, that does what it is told to the shard and nothing else. */
class OneShard {
  readonly #calls: ShardCalls;
  readonly #at: ShardAddress;
  #expect: Expectation = { epoch: 1, hash: "", durable: 0, durableOffset: -1 };

  constructor(prefix: string, at: ShardAddress) {
    this.#calls = createShardCalls({ redis, prefix, hashKey });
    this.#at = at;
  }

  async open(): Promise<void> {
    expect(await this.#calls.open(this.#at, null, 1)).toBe(true);
    await this.#did(this.#calls.changeRules(this.#at, this.#expect, rules));
  }

  async issue(count: number): Promise<void> {
    const claims = Array.from({ length: count }, (_, user) => ({
      ...{ userId: `u${user}`, callerId: "app", key: "k", via: "c" as const, permitted: true },
    }));
    for (let from = 0; from < count; from += claimsInCall) {
      const some = claims.slice(from, from + claimsInCall);
      await this.#did(this.#calls.claim(this.#at, this.#expect, [], some));
    }
  }

  async lock(serial: number): Promise<void> {
    const request = { ...this.#about(serial), ...always, payload: "p", holdMs: 60_000, verdict: this.#verdict };
    await this.#did(this.#calls.lock(this.#at, this.#expect, [request]));
  }

  async redeem(serial: number): Promise<void> {
    const request = { ...this.#about(serial), ...always, order: { payload: "p", verdict: this.#verdict } };
    await this.#did(this.#calls.redeem(this.#at, this.#expect, [request]));
  }

  readonly #verdict = { kind: "discount" as const, discount };

  #about(serial: number) {
    return { serial, userId: `u${serial}`, callerId: "app", orderId: `o${serial}`, permitted: true };
  }

  async #did(call: Promise<Applied<unknown>>): Promise<void> {
    const result = await call;
    if (result.kind !== "applied" || result.entry === null) throw new Error(`not done: ${JSON.stringify(result)}`);
    this.#expect = { ...this.#expect, hash: result.hash };
  }
}

test("counts every redemption that Redis has, in whatever page, and no lock", async () => {
  const prefix = uniqueName("t");
  const [first, second] = [0, 1].map((shard) => new OneShard(prefix, { batch: 7, shard })) as [OneShard, OneShard];
  for (const shard of [first, second]) await shard.open();
  await first.issue(4_100);
  for (const serial of [0, 3, 4_095, 4_096, 4_099]) await first.redeem(serial);
  await first.lock(1);
  await second.issue(2);
  await second.redeem(1);
  const reads = createShardReads({ redis, prefix, hashKey });
  const counts = await countRedis(reads, [
    { batchNumber: 7, shards: 2 },
    { batchNumber: 8, shards: 1 },
  ]);
  expect(counts.get(7)).toEqual({ issued: 4_102, redeemed: 6 });
  expect(counts.get(8)).toEqual({ issued: 0, redeemed: 0 });
});
