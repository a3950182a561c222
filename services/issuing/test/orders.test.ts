import { createHash } from "node:crypto";
import { type BatchDefinition, REDEMPTIONS_MAX, REVERSALS_MAX } from "@coupon/domain";
import { connectRedis, type RedisConnection } from "@coupon/redis";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { World } from "./support/world.ts";

const world = new World();
const { caller } = world;
let redis: RedisConnection;
let batchId = "";
let users = 0;

beforeAll(async () => {
  await world.start();
  redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
  await world.issuing();
  ({ batchId } = await world.publishBatch({ stock: { total: 10_000, perUser: 5 } }));
  await eventually(async () => (await caller.claim(batchId, "probe", "probe")).status < 300);
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

async function coupon(of = batchId): Promise<{ userId: string; couponId: string; orderId: string }> {
  users += 1;
  const userId = `user-${users}`;
  const { body } = await caller.claim(of, userId, "key");
  return { userId, couponId: body.couponId as string, orderId: `order-${users}` };
}

const template: BatchDefinition["template"] = {
  name: "Ten off",
  benefit: { kind: "amount_off", amount: 1_000, currency: "CNY" },
  validity: { days: 30, mode: "rolling" },
  timeZone: "Asia/Shanghai",
  refundPolicy: "restore",
};

const order = (unitAmount = 5_000) => ({
  amount: unitAmount * 2,
  currency: "CNY",
  lines: [
    { lineId: "1", productId: "p1", quantity: 1, unitAmount },
    { lineId: "2", productId: "p2", quantity: 1, unitAmount },
  ],
});

const lock = (at: { userId: string; couponId: string; orderId: string }, holdSeconds = 600, what = order()) =>
  caller.call("POST", `/v1/orders/${at.orderId}/lock`, {
    userId: at.userId,
    couponIds: [at.couponId],
    order: what,
    holdSeconds,
  });
const redeem = (at: { userId: string; couponId: string; orderId: string }, what?: object) =>
  caller.call("POST", `/v1/orders/${at.orderId}/redeem`, {
    userId: at.userId,
    couponIds: [at.couponId],
    ...(what === undefined ? {} : { order: what }),
  });
const release = (at: { userId: string; couponId: string; orderId: string }) =>
  caller.call("POST", `/v1/orders/${at.orderId}/release`, { userId: at.userId, couponIds: [at.couponId] });
const reverse = (at: { orderId: string; couponId: string }, key: string, what: object) =>
  caller.call(
    "POST",
    `/v1/orders/${at.orderId}/reversals`,
    { couponIds: [at.couponId], reason: "returned", ...what },
    { idempotencyKey: key },
  );

/** Until when the order is tied to its coupon. */
async function tiedUntilMs(orderId: string): Promise<number> {
  const hash = createHash("sha256").update(`shop/${orderId}`).digest("base64url").slice(0, 22);
  return redis.pexpiretime(`${world.prefix}{o${hash.charAt(0)}}:${hash}`);
}

/** A batch of its own, once it issues. */
async function batch(change: Parameters<World["publishBatch"]>[0]): Promise<BatchDefinition> {
  const definition = await world.publishBatch(change);
  await eventually(async () => (await caller.claim(definition.batchId, "probe", "probe")).status < 300);
  return definition;
}

describe("orders", () => {
  test("lock, redeem in two steps; each repeat gets the first success", async () => {
    const it = await coupon();
    const hold = await lock(it);
    expect(hold.status).toBe(200);
    expect(hold.body).toMatchObject({
      orderId: it.orderId,
      userId: it.userId,
      discount: 1_000,
      coupons: [
        {
          couponId: it.couponId,
          discount: 1_000,
          lines: [
            { lineId: "1", discount: 500 },
            { lineId: "2", discount: 500 },
          ],
        },
      ],
    });
    const used = await redeem(it);
    expect(used.status).toBe(200);
    expect(used.body).toMatchObject({ status: "redeemed", discount: 1_000, discountReversed: 0 });
    expect((await redeem(it)).body).toEqual(used.body);
    const otherOrder = await redeem({ ...it, orderId: `${it.orderId}-b` }, order());
    expect(otherOrder.body.code).toBe("coupon_redeemed");
  });

  test("one step; another payload under the same order is a conflict", async () => {
    const it = await coupon();
    const used = await redeem(it, order());
    expect(used.status).toBe(200);
    expect((await redeem(it, order())).body).toEqual(used.body);
    const changed = await redeem(it, order(6_000));
    expect(changed.status).toBe(422);
    expect(changed.body.code).toBe("idempotency_conflict");
    const second = await coupon();
    const otherCoupon = await redeem({ ...second, orderId: it.orderId }, order());
    expect(otherCoupon.body.code).toBe("idempotency_conflict");
  });

  test("a hold is exclusive; its release frees the coupon and bars the order for a day", async () => {
    const it = await coupon();
    const other = { ...it, orderId: `${it.orderId}-b` };
    await lock(it);
    expect((await lock(other)).body.code).toBe("coupon_locked");
    const given = await release(it);
    expect(given.body).toEqual({ orderId: it.orderId, coupons: [{ couponId: it.couponId, state: "effective" }] });
    expect((await lock(it)).body.code).toBe("order_released");
    expect((await lock(other)).status).toBe(200);
  });

  test("a refused request of an order does not untie what another one of it relies on", async () => {
    for (let round = 0; round < 10; round += 1) {
      const [it, other] = [await coupon(), await coupon()];
      const [, held] = await Promise.all([redeem(it), lock(it)]);
      const second = await lock({ ...other, orderId: it.orderId });
      expect([held.status, second.body.code]).toEqual([200, "idempotency_conflict"]);
    }
  });

  test("an order that has used a coupon keeps to it, also when that came back and the order releases it", async () => {
    const [it, other] = [await coupon(), await coupon()];
    await redeem(it, order());
    expect((await reverse(it, "all", { all: true })).body.coupons).toMatchObject([{ state: "effective" }]);
    expect((await release(it)).body.coupons).toEqual([{ couponId: it.couponId, state: "effective" }]);
    const second = await redeem({ ...other, orderId: it.orderId }, order());
    expect([second.status, second.body.code]).toEqual([422, "idempotency_conflict"]);
    expect((await redeem(other, order())).status).toBe(200);
  });

  test("an order is tied beyond the end of its hold", async () => {
    const it = await coupon();
    const { body } = await lock(it);
    expect(await tiedUntilMs(it.orderId)).toBeGreaterThan(Date.parse(String(body.lockedUntil)));
  });

  test("a refused request of an order does not make its tie longer, nor shorter", async () => {
    const it = await coupon();
    await lock(it);
    const tied = await tiedUntilMs(it.orderId);
    expect((await redeem(it, order(6_000))).body.code).toBe("idempotency_conflict");
    expect((await lock(it, 86_400, order(6_000))).body.code).toBe("idempotency_conflict");
    expect(await tiedUntilMs(it.orderId)).toBe(tied);
    const used = await redeem(it);
    expect((await lock(it, 600, order(6_000))).body.code).toBe("coupon_redeemed");
    const keptUntilMs = Date.parse(String(used.body.redeemedAt)) + 35 * 86_400_000;
    expect(await tiedUntilMs(it.orderId)).toBeGreaterThan(keptUntilMs);
  });

  test("without an order and without a hold a coupon's validity is the foremost reason", async () => {
    const past = { from: "2024-01-01T00:00:00Z", until: "2024-02-01T00:00:00Z" };
    const future = { from: "2039-01-01T00:00:00Z", until: "2039-02-01T00:00:00Z" };
    for (const [validity, code] of [
      [past, "coupon_expired"],
      [future, "coupon_pending"],
    ] as const) {
      const { batchId: of } = await batch({ template: { ...template, validity } });
      const it = await coupon(of);
      const bare = await redeem(it);
      expect([bare.status, bare.body.code]).toEqual([409, code]);
      expect(bare.body).toEqual((await redeem(it, order())).body);
    }
  });

  test("of a batch that was revoked, what a release or a reversal brings back is deactivated", async () => {
    const definition = await batch({});
    const { batchId: of } = definition;
    const [early, used, held] = [await coupon(of), await coupon(of), await coupon(of)];
    for (const each of [early, used]) await redeem(each, order());
    await lock(held);
    const before = await reverse(early, "all", { all: true });
    expect(before.body.coupons).toMatchObject([{ state: "effective" }]);
    await world.publisher.publishBatch({ ...definition, version: 2, state: "deactivated", revoked: true });
    await eventually(async () => {
      users += 1;
      return (await caller.claim(of, `user-${users}`, "key")).body.code === "batch_deactivated";
    });
    const reversed = await reverse(used, "all", { all: true });
    expect([reversed.status, reversed.body.coupons]).toEqual([
      201,
      [{ couponId: used.couponId, state: "deactivated" }],
    ]);
    expect((await reverse(used, "all", { all: true })).body).toEqual(reversed.body);
    for (const each of [held, early, used]) {
      expect((await release(each)).body.coupons).toEqual([{ couponId: each.couponId, state: "deactivated" }]);
    }
  });

  test("what a deactivated batch was let keep can be revoked afterwards", async () => {
    const definition = await batch({});
    const { batchId: of } = definition;
    const [kept, late] = [await coupon(of), await coupon(of)];
    await world.publisher.publishBatch({ ...definition, version: 2, state: "deactivated" });
    await eventually(async () => {
      users += 1;
      return (await caller.claim(of, `user-${users}`, "key")).body.code === "batch_deactivated";
    });
    expect((await redeem(kept, order())).status).toBe(200);
    await world.publisher.publishBatch({ ...definition, version: 3, state: "deactivated", revoked: true });
    let asked = 0;
    await eventually(async () => {
      asked += 1;
      const probe = { ...late, orderId: `${late.orderId}-${asked}` };
      if ((await lock(probe)).body.code === "coupon_deactivated") return true;
      // It was not in force yet, and what is held would be held on.
      await release(probe);
      return false;
    });
    expect((await redeem(late, order())).body.code).toBe("coupon_deactivated");
    expect((await reverse(kept, "all", { all: true })).body.coupons).toMatchObject([{ state: "deactivated" }]);
  });

  test("a release that overtakes its lock wins", async () => {
    const it = await coupon();
    expect((await release(it)).status).toBe(200);
    expect((await lock(it)).body.code).toBe("order_released");
  });

  test("reversals in parts take back exactly the discount, and a full one brings the coupon back", async () => {
    const it = await coupon();
    await redeem(it, order());
    const part = await reverse(it, "rev-1", { lines: [{ lineId: "1", quantity: 1 }] });
    expect(part.status).toBe(201);
    expect(part.body).toMatchObject({ discountReversed: 500, remaining: 500, coupons: [{ state: "redeemed" }] });
    const again = await reverse(it, "rev-1", { lines: [{ lineId: "1", quantity: 1 }] });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(part.body);
    expect((await reverse(it, "rev-1", { all: true })).body.code).toBe("idempotency_conflict");
    expect((await reverse(it, "rev-2", { lines: [{ lineId: "1", quantity: 1 }] })).body.code).toBe(
      "reversal_exceeds_redemption",
    );
    const rest = await reverse(it, "rev-3", { all: true });
    expect(rest.body).toMatchObject({ discountReversed: 500, remaining: 0, coupons: [{ state: "effective" }] });
    expect((await redeem({ ...it, orderId: `${it.orderId}-b` }, order())).status).toBe(200);
  });

  test("a reversal under an id that was not issued to the coupon's user undoes nothing", async () => {
    const it = await coupon();
    await redeem(it, order());
    const last = it.couponId.at(-1) === "0" ? "1" : "0";
    const forged = { ...it, couponId: it.couponId.slice(0, -1) + last };
    expect((await reverse(forged, "rev-1", { all: true })).body.code).toBe("coupon_not_found");
    expect((await reverse(it, "rev-1", { all: true })).status).toBe(201);
  });

  test("a redemption takes so many reversals and no more; the last takes all that is left", async () => {
    const it = await coupon();
    const lines = [{ lineId: "1", productId: "p1", quantity: REVERSALS_MAX + 5, unitAmount: 100 }];
    await redeem(it, { amount: (REVERSALS_MAX + 5) * 100, currency: "CNY", lines });
    const one = { lines: [{ lineId: "1", quantity: 1 }] };
    for (let n = 1; n < REVERSALS_MAX; n += 1) expect((await reverse(it, `part-${n}`, one)).status).toBe(201);
    const tooMany = await reverse(it, "too-many", one);
    expect([tooMany.status, tooMany.body.code]).toEqual([409, "reversal_exceeds_redemption"]);
    expect(tooMany.body.limit).toMatchObject({ name: "reversals", max: REVERSALS_MAX, used: REVERSALS_MAX - 1 });
    expect((await reverse(it, "part-1", one)).status).toBe(200);
    const rest = await reverse(it, "rest", { all: true });
    expect([rest.status, rest.body.remaining]).toEqual([201, 0]);
  });

  test("a coupon comes back so many times and no more", async () => {
    const it = await coupon();
    for (let n = 1; n <= REDEMPTIONS_MAX; n += 1) {
      const at = { ...it, orderId: `${it.orderId}-${n}` };
      expect((await redeem(at, order())).status).toBe(200);
      const { body } = await reverse(at, "all", { all: true });
      expect(body).toMatchObject({
        remaining: 0,
        coupons: [{ state: n < REDEMPTIONS_MAX ? "effective" : "redeemed" }],
      });
    }
    expect((await redeem({ ...it, orderId: `${it.orderId}-x` }, order())).body.code).toBe("coupon_redeemed");
  });

  test("a reversal's key belongs to its order: the same key reverses the next order's redemption, too", async () => {
    const it = await coupon();
    const next = { ...it, orderId: `${it.orderId}-b` };
    await redeem(it, order());
    expect((await reverse(it, "same", { all: true })).status).toBe(201);
    await redeem(next, order());
    const second = await reverse(next, "same", { all: true });
    expect(second.status).toBe(201);
    expect((await reverse(next, "same", { all: true })).body).toEqual(second.body);
  });

  test("races: one coupon, many orders, one redemption", async () => {
    const it = await coupon();
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => redeem({ ...it, orderId: `${it.orderId}-${i}` }, order())),
    );
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    expect(answers.filter(({ body }) => body.code === "coupon_redeemed").length).toBe(29);
  });

  test("another user's coupon, a changed character and a made-up id look alike", async () => {
    const it = await coupon();
    const last = it.couponId.at(-1) === "0" ? "1" : "0";
    const forged = await redeem({ ...it, couponId: it.couponId.slice(0, -1) + last }, order());
    const theirs = await redeem({ ...it, userId: "somebody-else" }, order());
    const nonsense = await redeem({ ...it, couponId: "NOT-A-COUPON" }, order());
    expect(forged.status).toBe(404);
    expect(theirs.body).toEqual(forged.body);
    expect(nonsense.body).toEqual(forged.body);
  });

  test("money that doesn't add up is refused and nothing happens", async () => {
    const it = await coupon();
    for (const bad of [
      { ...order(), amount: 9_999 },
      { ...order(), amount: -1 },
      { ...order(), amount: 1.5 },
      { ...order(), currency: "cny" },
      { ...order(), lines: [] },
      { amount: 2 ** 53, currency: "CNY", lines: [{ lineId: "1", productId: "p", quantity: 1, unitAmount: 2 ** 53 }] },
    ]) {
      const answer = await redeem(it, bad);
      expect(answer.status).toBe(400);
      expect(answer.body.code).toBe("request_invalid");
    }
    expect((await redeem(it, order())).status).toBe(200);
  });
});
