import type { BatchDefinition } from "@coupon/domain";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OrderDesk, order } from "./support/order-desk.ts";

const desk = new OrderDesk();
beforeAll(() => desk.start());
afterAll(() => desk.close());

const template: BatchDefinition["template"] = {
  name: "Ten off",
  benefit: { kind: "amount_off", amount: 1_000, currency: "CNY" },
  validity: { days: 30, mode: "rolling" },
  timeZone: "Asia/Shanghai",
  refundPolicy: "restore",
};

test("lock, redeem in two steps; each repeat gets the first success", async () => {
  const it = await desk.coupon();
  const hold = await desk.lock(it);
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
  const used = await desk.redeem(it);
  expect(used.status).toBe(200);
  expect(used.body).toMatchObject({ status: "redeemed", discount: 1_000, discountReversed: 0 });
  expect((await desk.redeem(it)).body).toEqual(used.body);
  const otherOrder = await desk.redeem({ ...it, orderId: `${it.orderId}-b` }, order());
  expect(otherOrder.body.code).toBe("coupon_redeemed");
});

test("one step; another payload under the same order is a conflict", async () => {
  const it = await desk.coupon();
  const used = await desk.redeem(it, order());
  expect(used.status).toBe(200);
  expect((await desk.redeem(it, order())).body).toEqual(used.body);
  const changed = await desk.redeem(it, order(6_000));
  expect(changed.status).toBe(422);
  expect(changed.body.code).toBe("idempotency_conflict");
  const second = await desk.coupon();
  const otherCoupon = await desk.redeem({ ...second, orderId: it.orderId }, order());
  expect(otherCoupon.body.code).toBe("idempotency_conflict");
});

test("a hold is exclusive; its release frees the coupon and bars the order for a day", async () => {
  const it = await desk.coupon();
  const other = { ...it, orderId: `${it.orderId}-b` };
  await desk.lock(it);
  expect((await desk.lock(other)).body.code).toBe("coupon_locked");
  const given = await desk.release(it);
  expect(given.body).toEqual({ orderId: it.orderId, coupons: [{ couponId: it.couponId, state: "effective" }] });
  expect((await desk.lock(it)).body.code).toBe("order_released");
  expect((await desk.lock(other)).status).toBe(200);
});

test("without an order and without a hold a coupon's validity is the foremost reason", async () => {
  const past = { from: "2024-01-01T00:00:00Z", until: "2024-02-01T00:00:00Z" };
  const future = { from: "2039-01-01T00:00:00Z", until: "2039-02-01T00:00:00Z" };
  for (const [validity, code] of [
    [past, "coupon_expired"],
    [future, "coupon_pending"],
  ] as const) {
    const { batchId: of } = await desk.batch({ template: { ...template, validity } });
    const it = await desk.coupon(of);
    const bare = await desk.redeem(it);
    expect([bare.status, bare.body.code]).toEqual([409, code]);
    expect(bare.body).toEqual((await desk.redeem(it, order())).body);
  }
});

test("a release that overtakes its lock wins", async () => {
  const it = await desk.coupon();
  expect((await desk.release(it)).status).toBe(200);
  expect((await desk.lock(it)).body.code).toBe("order_released");
});

test("races: one coupon, many orders, one redemption", async () => {
  const it = await desk.coupon();
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, i) => desk.redeem({ ...it, orderId: `${it.orderId}-${i}` }, order())),
  );
  expect(answers.filter(({ status }) => status === 200).length).toBe(1);
  expect(answers.filter(({ body }) => body.code === "coupon_redeemed").length).toBe(29);
});

test("another user's coupon, a changed character and a made-up id look alike", async () => {
  const it = await desk.coupon();
  const last = it.couponId.at(-1) === "0" ? "1" : "0";
  const forged = await desk.redeem({ ...it, couponId: it.couponId.slice(0, -1) + last }, order());
  const theirs = await desk.redeem({ ...it, userId: "somebody-else" }, order());
  const nonsense = await desk.redeem({ ...it, couponId: "NOT-A-COUPON" }, order());
  expect(forged.status).toBe(404);
  expect(theirs.body).toEqual(forged.body);
  expect(nonsense.body).toEqual(forged.body);
});

test("money that doesn't add up is refused and nothing happens", async () => {
  const it = await desk.coupon();
  for (const bad of [
    { ...order(), amount: 9_999 },
    { ...order(), amount: -1 },
    { ...order(), amount: 1.5 },
    { ...order(), currency: "cny" },
    { ...order(), lines: [] },
    { amount: 2 ** 53, currency: "CNY", lines: [{ lineId: "1", productId: "p", quantity: 1, unitAmount: 2 ** 53 }] },
  ]) {
    const answer = await desk.redeem(it, bad);
    expect(answer.status).toBe(400);
    expect(answer.body.code).toBe("request_invalid");
  }
  expect((await desk.redeem(it, order())).status).toBe(200);
});
