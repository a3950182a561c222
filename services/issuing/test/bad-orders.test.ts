import { connectRedis, createShardCalls, type RedisConnection, type ShardCalls } from "@coupon/redis";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer } from "./support/signed-caller.ts";
import { World } from "./support/world.ts";

const world = new World();
const { caller } = world;
let redis: RedisConnection;
let calls: ShardCalls;
let batchNumber = 0;
let batchId = "";
let couponId = "";

beforeAll(async () => {
  await world.start();
  await world.issuing();
  redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
  calls = createShardCalls({ redis, prefix: world.prefix, hashKey: Buffer.from(world.env.HASH_KEY ?? "", "base64") });
  ({ batchId, batchNumber } = await world.publishBatch({ stock: { total: 1_000, perUser: 50 } }));
  couponId = await claim("key");
});
afterAll(async () => {
  await redis.close();
  await world.close();
});

const claim = async (key: string) =>
  String(
    (
      await eventually(async () => {
        const answer = await caller.claim(batchId, "user-1", key);
        return answer.status < 300 ? answer : false;
      })
    ).body.couponId,
  );

const orderOf = (unitAmount = 5_000, change: object = {}) => ({
  ...{ amount: 2 * unitAmount, currency: "CNY" },
  lines: [{ lineId: "1", productId: "p", quantity: 2, unitAmount }],
  ...change,
});

type Call = "lock" | "redeem" | "release" | "reversals";
const bodies: Record<Call, (coupon: string, change?: object) => object> = {
  lock: (coupon, change) => ({ userId: "user-1", couponIds: [coupon], order: orderOf(), holdSeconds: 60, ...change }),
  redeem: (coupon, change) => ({ userId: "user-1", couponIds: [coupon], order: orderOf(), ...change }),
  release: (coupon, change) => ({ userId: "user-1", couponIds: [coupon], ...change }),
  reversals: (coupon, change) => ({ couponIds: [coupon], all: true, reason: "returned", ...change }),
};
const everyCall = Object.keys(bodies) as Call[];

function call(what: Call, orderId: string, coupon: string, change: object = {}, by = caller): Promise<Answer> {
  const options = what === "reversals" ? { idempotencyKey: "key" } : {};
  return by.call("POST", `/v1/orders/${orderId}/${what}`, bodies[what](coupon, change), options);
}

async function lastEntry(): Promise<number> {
  const [header] = await calls.readHeaders([{ batch: batchNumber, shard: 0 }]);
  return header?.number ?? -1;
}

/** Refused, never by a 500, and the shard has no entry more than before. */
async function refused(request: () => Promise<Answer>, status: number, code: string): Promise<Answer> {
  const before = await lastEntry();
  const answer = await request();
  expect([answer.status, answer.body.code]).toEqual([status, code]);
  expect(await lastEntry()).toBe(before);
  return answer;
}

describe.each(everyCall)("%s", (what) => {
  test.each([
    ["a NUL", "%00"],
    ["an emoji", "%F0%9F%8E%9F"],
    ["129 characters", "o".repeat(129)],
    ["a space", "a%20b"],
  ])("an order id with %s", async (_name, orderId) => {
    await refused(() => call(what, orderId, couponId), 400, "request_invalid");
  });

  test("an unknown field, two coupons, none, and one that is no text", async () => {
    for (const change of [
      { admin: true },
      { couponIds: [couponId, couponId] },
      { couponIds: [] },
      { couponIds: [7] },
    ]) {
      await refused(() => call(what, "order-bad", couponId, change), 400, "request_invalid");
    }
  });

  test("a coupon of a batch that the caller has nothing to do with is not there", async () => {
    await refused(() => call(what, "order-o", couponId, {}, world.otherCaller), 404, "coupon_not_found");
  });

  test("a coupon id with any one character changed", async () => {
    for (let at = 0; at < couponId.length; at += 1) {
      const forged = couponId.slice(0, at) + (couponId[at] === "7" ? "8" : "7") + couponId.slice(at + 1);
      const before = await lastEntry();
      const answer = await call(what, `order-forged-${at}`, forged);
      // A reversal proves the id against the user on record, and this coupon has no redemption.
      const codes = what === "reversals" ? ["coupon_not_found", "order_not_found"] : ["coupon_not_found"];
      expect([answer.status, codes.includes(String(answer.body.code))]).toEqual([404, true]);
      expect(await lastEntry()).toBe(before);
    }
  });
});

describe.each(["lock", "redeem"] as const)("money of a %s", (what) => {
  const line = { lineId: "1", productId: "p", quantity: 1, unitAmount: 100 };
  test.each([
    ["lines that don't add up", orderOf(5_000, { amount: 9_999 })],
    ["a negative amount", orderOf(5_000, { amount: -1 })],
    ["a negative unit", { amount: -100, currency: "CNY", lines: [{ ...line, unitAmount: -100 }] }],
    ["a fractional amount", orderOf(5_000, { amount: 1.5 })],
    ["a fractional unit", { amount: 1, currency: "CNY", lines: [{ ...line, unitAmount: 0.5 }] }],
    [
      "an amount beyond what a number holds",
      { amount: 2 ** 53, currency: "CNY", lines: [{ ...line, unitAmount: 2 ** 53 }] },
    ],
    [
      "a sum beyond what a number holds",
      { amount: 2 ** 53 - 1, currency: "CNY", lines: [{ ...line, quantity: 2, unitAmount: 2 ** 53 - 1 }] },
    ],
    ["no quantity", { amount: 0, currency: "CNY", lines: [{ ...line, quantity: 0 }] }],
    ["a line twice", { amount: 200, currency: "CNY", lines: [line, line] }],
    ["text for an amount", orderOf(5_000, { amount: "10000" })],
    ["no lines", { amount: 0, currency: "CNY", lines: [] }],
    ["a currency that is none", orderOf(5_000, { currency: "cny" })],
  ])("%s", async (_name, order) => {
    await refused(() => call(what, "order-money", couponId, { order }), 400, "request_invalid");
  });
});

test.each([9, 86_401, -1, 1.5, "60"])("a hold of %s seconds", async (holdSeconds) => {
  await refused(() => call("lock", "order-hold", couponId, { holdSeconds }), 400, "request_invalid");
});

test.each([
  ["neither lines nor all", { all: undefined }],
  ["both lines and all", { lines: [{ lineId: "1", quantity: 1 }] }],
  ["no quantity", { all: undefined, lines: [{ lineId: "1", quantity: 0 }] }],
  ["a fractional quantity", { all: undefined, lines: [{ lineId: "1", quantity: 0.5 }] }],
  ["no reason", { reason: "" }],
])("a reversal with %s", async (_name, change) => {
  await refused(() => call("reversals", "order-1", couponId, change), 400, "request_invalid");
});

describe("repeated with another payload", () => {
  test("a lock: the hold stays as it was", async () => {
    const coupon = await claim("lock");
    const held = await call("lock", "order-l", coupon);
    expect(held.status).toBe(200);
    const order = orderOf(6_000);
    await refused(() => call("lock", "order-l", coupon, { order }), 422, "idempotency_conflict");
    await refused(() => call("redeem", "order-l", coupon, { order }), 422, "idempotency_conflict");
    await refused(() => call("lock", "order-l", couponId), 422, "idempotency_conflict");
    expect((await call("lock", "order-l", coupon, { holdSeconds: 10 })).body).toEqual(held.body);
  });

  test("a redemption, and a reversal of it: the first success stays", async () => {
    const coupon = await claim("redeem");
    const used = await call("redeem", "order-r", coupon);
    expect(used.status).toBe(200);
    await refused(() => call("redeem", "order-r", coupon, { order: orderOf(6_000) }), 422, "idempotency_conflict");
    await refused(() => call("redeem", "order-r", couponId), 422, "idempotency_conflict");
    expect((await call("redeem", "order-r", coupon)).body).toEqual(used.body);

    const lines = { all: undefined, lines: [{ lineId: "1", quantity: 1 }] };
    const part = await call("reversals", "order-r", coupon, lines);
    expect(part.status).toBe(201);
    await refused(() => call("reversals", "order-r", coupon), 422, "idempotency_conflict");
    const again = await call("reversals", "order-r", coupon, lines);
    expect([again.status, again.body]).toEqual([200, part.body]);
  });
});
