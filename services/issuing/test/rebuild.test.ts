import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { partitionOf } from "@coupon/domain";
import { connectRedis, createShardCalls, type RedisConnection, type ShardCalls } from "@coupon/redis";
import { eventually, freePorts } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAll } from "./support/open-all.ts";
import { connectOwnerParts } from "./support/owner-parts.ts";
import { PARTITIONS, World } from "./support/world.ts";

/** Together with a real ledger: what Redis loses is built anew from the log and PostgreSQL. */
const world = new World();
const { caller } = world;
let ledger: ChildProcess;
let redis: RedisConnection;
let calls: ShardCalls;
let batchId = "";
let batchNumber = 0;

beforeAll(async () => {
  await world.start();
  const [ledgerPort] = (await freePorts(1)) as [number];
  ledger = spawn(process.execPath, [new URL("../../ledger/src/main.ts", import.meta.url).pathname], {
    env: { ...process.env, ...world.env, PORT: String(ledgerPort) },
    stdio: ["ignore", "inherit", "inherit"],
  });
  await eventually(async () => (await fetch(`http://127.0.0.1:${ledgerPort}/readyz`)).ok, { timeoutMs: 30_000 });
  await world.issuing({ LEDGER_URL: `http://127.0.0.1:${ledgerPort}`, RECOVERY_PATIENCE_MS: "4000" });
  redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
  calls = createShardCalls({ redis, prefix: world.prefix, hashKey: Buffer.from(world.env.HASH_KEY ?? "", "base64") });
  ({ batchId, batchNumber } = await world.publishBatch({ stock: { total: 300, perUser: 1 } }));
  await eventually(async () => (await caller.claim(batchId, "user-0", "key")).status < 300);
});
afterAll(async () => {
  await world.close();
  await redis.close();
  ledger.kill("SIGTERM");
  await once(ledger, "exit");
});

const order = {
  amount: 5_000,
  currency: "CNY",
  lines: [{ lineId: "1", productId: "p", quantity: 1, unitAmount: 5_000 }],
};
const redeem = (userId: string, couponId: string, orderId: string) =>
  caller.call("POST", `/v1/orders/${orderId}/redeem`, { userId, couponIds: [couponId], order });

describe("a shard that Redis lost", () => {
  test("comes back with its coupons, redemptions and stock, and sells exactly the rest", async () => {
    const coupons = new Map<string, string>();
    for (let i = 0; i < 100; i += 1) {
      const { body } = await caller.claim(batchId, `user-${i}`, "key");
      coupons.set(`user-${i}`, body.couponId as string);
    }
    const used = await redeem("user-1", coupons.get("user-1") ?? "", "order-1");
    expect(used.status).toBe(200);
    await calls.drop({ batch: batchNumber, shard: 0 });

    const first = await eventually(
      async () => {
        const answer = await caller.claim(batchId, "user-5", "key");
        if (answer.status === 503) expect(answer.headers.get("retry-after")).toMatch(/\d/);
        return answer.status === 200 ? answer : false;
      },
      { timeoutMs: 20_000 },
    );
    expect(first.body.couponId).toBe(coupons.get("user-5"));
    for (const [userId, couponId] of coupons) {
      const { status, body } = await caller.claim(batchId, userId, "key");
      expect([status, body.couponId]).toEqual([200, couponId]);
    }
    expect((await redeem("user-1", coupons.get("user-1") ?? "", "order-1")).body).toEqual(used.body);
    expect((await redeem("user-1", coupons.get("user-1") ?? "", "order-2")).body.code).toBe("coupon_redeemed");
    expect((await redeem("user-2", coupons.get("user-2") ?? "", "order-3")).status).toBe(200);

    const rest = await Promise.all(Array.from({ length: 250 }, (_, i) => caller.claim(batchId, `late-${i}`, "key")));
    expect(rest.filter(({ status }) => status === 201).length).toBe(200);
    expect(rest.filter(({ body }) => body.code === "stock_exhausted").length).toBe(50);
  });

  test("a coupon whose record is no longer warm is found as the ledger knows it", async () => {
    const { batchId: fresh, batchNumber: number } = await world.publishBatch({ stock: { total: 10, perUser: 2 } });
    const claimed = await eventually(async () => {
      const answer = await caller.claim(fresh, "cold", "key");
      return answer.status < 300 ? answer : false;
    });
    const couponId = claimed.body.couponId as string;
    const lock = (orderId: string) =>
      caller.call("POST", `/v1/orders/${orderId}/lock`, {
        userId: "cold",
        couponIds: [couponId],
        order,
        holdSeconds: 60,
      });
    expect((await lock("cold-1")).status).toBe(200);
    const released = await caller.call("POST", "/v1/orders/cold-1/release", { userId: "cold", couponIds: [couponId] });
    expect(released.status).toBe(200);
    expect(await redis.del(`${world.prefix}{${number}.0}:c0`)).toBe(1);
    expect((await lock("cold-1")).body.code).toBe("order_released");
    expect(await redis.del(`${world.prefix}{${number}.0}:c0`)).toBe(1);
    expect((await lock("cold-2")).status).toBe(200);
    const again = await redeem("cold", couponId.toLowerCase(), "cold-2");
    expect(again.status).toBe(200);
    expect(await redis.del(`${world.prefix}{${number}.0}:c0`)).toBe(1);
    expect((await redeem("cold", couponId, "cold-2")).body).toEqual(again.body);
  });

  test("reads see what was written, through Read-After", async () => {
    const { batchId: fresh } = await world.publishBatch();
    const claimed = await eventually(async () => {
      const answer = await caller.claim(fresh, "reader", "key");
      return answer.status < 300 ? answer : false;
    });
    const headers = { "read-after": claimed.headers.get("log-position") ?? "" };
    const couponId = claimed.body.couponId as string;
    const one = await caller.call("GET", `/v1/coupons/${couponId}?userId=reader`, undefined, { headers });
    expect(one.body).toMatchObject({ couponId, state: "effective" });
    const page = await caller.call("GET", `/v1/users/reader/coupons?batchId=${fresh}`, undefined, { headers });
    expect(page.body).toMatchObject({ items: [{ couponId }], nextCursor: null });
    const done = await redeem("reader", couponId, "order-r");
    const after = { headers: { "read-after": done.headers.get("log-position") ?? "" } };
    const shown = await caller.call("GET", "/v1/orders/order-r", undefined, after);
    expect(shown.body).toMatchObject({ orderId: "order-r", redemption: { status: "redeemed" } });
    const reversed = await caller.call(
      "POST",
      "/v1/orders/order-r/reversals",
      { all: true, reason: "returned" },
      { idempotencyKey: "without-coupon-ids" },
    );
    expect(reversed.status).toBe(201);
    expect(reversed.body).toMatchObject({ discountReversed: 1_000, remaining: 0 });
  });
});

describe("the tail that an opening reads", () => {
  test("is what the ledger has not applied, however long the log is", async () => {
    const { batchId: fresh, batchNumber: number } = await world.publishBatch({ stock: { total: 1_000, perUser: 1 } });
    await eventually(async () => (await caller.claim(fresh, "user-0", "key")).status < 300);
    const entries = 200;
    let last = "";
    // One after the other, so that each is an entry of its own.
    for (let i = 1; i <= entries; i += 1) {
      last = (await caller.claim(fresh, `user-${i}`, "key")).headers.get("log-position") ?? "";
    }
    const applied = await caller.call("GET", `/v1/users/user-${entries}/coupons`, undefined, {
      headers: { "read-after": last },
    });
    expect(applied.status).toBe(200);
    const parts = await connectOwnerParts(world);
    let read = 0;
    const readRange: typeof parts.reader.readRange = async function* (...asked) {
      for await (const messages of parts.reader.readRange(...asked)) {
        read += messages.length;
        yield messages;
      }
    };
    const partition = partitionOf(number, 0, PARTITIONS);
    const opened = await openAll({ ...parts, reader: { readRange } }, partition, [{ batch: number, shard: 0 }]);
    await parts.close();
    expect(opened.epoch).toBeGreaterThan(entries);
    expect(opened.shards.find(({ address }) => address.batch === number)).toMatchObject({ rebuild: false });
    expect(read).toBeLessThan(10);
  });
});
