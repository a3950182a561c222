import { createHash } from "node:crypto";
import { connectRedis, type RedisConnection } from "@coupon/redis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OrderDesk, order } from "./support/order-desk.ts";

const desk = new OrderDesk();
let redis: RedisConnection;
beforeAll(async () => {
  await desk.start();
  redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
});
afterAll(async () => {
  await desk.close();
  await redis.close();
});

/** Until when the order is tied to its coupon. */
async function tiedUntilMs(orderId: string): Promise<number> {
  const hash = createHash("sha256").update(`shop/${orderId}`).digest("base64url").slice(0, 22);
  return redis.pexpiretime(`${desk.world.prefix}{o${hash.charAt(0)}}:${hash}`);
}

test("a refused request of an order does not untie what another one of it relies on", async () => {
  for (let round = 0; round < 10; round += 1) {
    const [it, other] = [await desk.coupon(), await desk.coupon()];
    const [, held] = await Promise.all([desk.redeem(it), desk.lock(it)]);
    const second = await desk.lock({ ...other, orderId: it.orderId });
    expect([held.status, second.body.code]).toEqual([200, "idempotency_conflict"]);
  }
});

test("an order that has used a coupon keeps to it, also when that came back and the order releases it", async () => {
  const [it, other] = [await desk.coupon(), await desk.coupon()];
  await desk.redeem(it, order());
  expect((await desk.reverse(it, "all", { all: true })).body.coupons).toMatchObject([{ state: "effective" }]);
  expect((await desk.release(it)).body.coupons).toEqual([{ couponId: it.couponId, state: "effective" }]);
  const second = await desk.redeem({ ...other, orderId: it.orderId }, order());
  expect([second.status, second.body.code]).toEqual([422, "idempotency_conflict"]);
  expect((await desk.redeem(other, order())).status).toBe(200);
});

test("an order is tied beyond the end of its hold", async () => {
  const it = await desk.coupon();
  const { body } = await desk.lock(it);
  expect(await tiedUntilMs(it.orderId)).toBeGreaterThan(Date.parse(String(body.lockedUntil)));
});

test("a refused request of an order does not make its tie longer, nor shorter", async () => {
  const it = await desk.coupon();
  await desk.lock(it);
  const tied = await tiedUntilMs(it.orderId);
  expect((await desk.redeem(it, order(6_000))).body.code).toBe("idempotency_conflict");
  expect((await desk.lock(it, 86_400, order(6_000))).body.code).toBe("idempotency_conflict");
  expect(await tiedUntilMs(it.orderId)).toBe(tied);
  const used = await desk.redeem(it);
  expect((await desk.lock(it, 600, order(6_000))).body.code).toBe("coupon_redeemed");
  const keptUntilMs = Date.parse(String(used.body.redeemedAt)) + 35 * 86_400_000;
  expect(await tiedUntilMs(it.orderId)).toBeGreaterThan(keptUntilMs);
});
