import { REDEMPTIONS_MAX, REVERSALS_MAX } from "@coupon/domain";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OrderDesk, order } from "./support/order-desk.ts";

const desk = new OrderDesk();
beforeAll(() => desk.start());
afterAll(() => desk.close());

test("of a batch that was revoked, what a release or a reversal brings back is deactivated", async () => {
  const definition = await desk.batch({});
  const { batchId: of } = definition;
  const [early, used, held] = [await desk.coupon(of), await desk.coupon(of), await desk.coupon(of)];
  for (const each of [early, used]) await desk.redeem(each, order());
  await desk.lock(held);
  const before = await desk.reverse(early, "all", { all: true });
  expect(before.body.coupons).toMatchObject([{ state: "effective" }]);
  const revokedAt = new Date(Date.now() + 1).toISOString();
  await desk.world.publisher.publishBatch({
    ...definition,
    version: 2,
    state: "deactivated",
    revoked: true,
    revokedAt,
  });
  await eventually(async () => {
    return (await desk.world.caller.claim(of, desk.newUser(), "key")).body.code === "batch_deactivated";
  });
  const reversed = await desk.reverse(used, "all", { all: true });
  expect([reversed.status, reversed.body.coupons]).toEqual([201, [{ couponId: used.couponId, state: "deactivated" }]]);
  expect((await desk.reverse(used, "all", { all: true })).body).toEqual(reversed.body);
  // What is on record is told again as it was, whatever has become of the batch.
  expect((await desk.reverse(early, "all", { all: true })).body).toEqual(before.body);
  for (const each of [held, early, used]) {
    expect((await desk.release(each)).body.coupons).toEqual([{ couponId: each.couponId, state: "deactivated" }]);
  }
});

test("what a deactivated batch was let keep can be revoked afterwards", async () => {
  const definition = await desk.batch({});
  const { batchId: of } = definition;
  const [kept, late] = [await desk.coupon(of), await desk.coupon(of)];
  await desk.world.publisher.publishBatch({ ...definition, version: 2, state: "deactivated" });
  await eventually(async () => {
    return (await desk.world.caller.claim(of, desk.newUser(), "key")).body.code === "batch_deactivated";
  });
  expect((await desk.redeem(kept, order())).status).toBe(200);
  await desk.world.publisher.publishBatch({ ...definition, version: 3, state: "deactivated", revoked: true });
  let asked = 0;
  await eventually(async () => {
    asked += 1;
    const probe = { ...late, orderId: `${late.orderId}-${asked}` };
    if ((await desk.lock(probe)).body.code === "coupon_deactivated") return true;
    // It was not in force yet, and what is held would be held on.
    await desk.release(probe);
    return false;
  });
  expect((await desk.redeem(late, order())).body.code).toBe("coupon_deactivated");
  expect((await desk.reverse(kept, "all", { all: true })).body.coupons).toMatchObject([{ state: "deactivated" }]);
});

test("reversals in parts take back exactly the discount, and a full one brings the coupon back", async () => {
  const it = await desk.coupon();
  await desk.redeem(it, order());
  const part = await desk.reverse(it, "rev-1", { lines: [{ lineId: "1", quantity: 1 }] });
  expect(part.status).toBe(201);
  expect(part.body).toMatchObject({ discountReversed: 500, remaining: 500, coupons: [{ state: "redeemed" }] });
  const again = await desk.reverse(it, "rev-1", { lines: [{ lineId: "1", quantity: 1 }] });
  expect(again.status).toBe(200);
  expect(again.body).toEqual(part.body);
  expect((await desk.reverse(it, "rev-1", { all: true })).body.code).toBe("idempotency_conflict");
  expect((await desk.reverse(it, "rev-2", { lines: [{ lineId: "1", quantity: 1 }] })).body.code).toBe(
    "reversal_exceeds_redemption",
  );
  const rest = await desk.reverse(it, "rev-3", { all: true });
  expect(rest.body).toMatchObject({ discountReversed: 500, remaining: 0, coupons: [{ state: "effective" }] });
  expect((await desk.redeem({ ...it, orderId: `${it.orderId}-b` }, order())).status).toBe(200);
});

test("a reversal under an id that was not issued to the coupon's user undoes nothing", async () => {
  const it = await desk.coupon();
  await desk.redeem(it, order());
  const last = it.couponId.at(-1) === "0" ? "1" : "0";
  const forged = { ...it, couponId: it.couponId.slice(0, -1) + last };
  expect((await desk.reverse(forged, "rev-1", { all: true })).body.code).toBe("coupon_not_found");
  expect((await desk.reverse(it, "rev-1", { all: true })).status).toBe(201);
});

test("a redemption takes so many reversals and no more; the last takes all that is left", async () => {
  const it = await desk.coupon();
  const lines = [{ lineId: "1", productId: "p1", quantity: REVERSALS_MAX + 5, unitAmount: 100 }];
  await desk.redeem(it, { amount: (REVERSALS_MAX + 5) * 100, currency: "CNY", lines });
  const one = { lines: [{ lineId: "1", quantity: 1 }] };
  for (let n = 1; n < REVERSALS_MAX; n += 1) expect((await desk.reverse(it, `part-${n}`, one)).status).toBe(201);
  const tooMany = await desk.reverse(it, "too-many", one);
  expect([tooMany.status, tooMany.body.code]).toEqual([409, "reversal_exceeds_redemption"]);
  expect(tooMany.body.limit).toMatchObject({ name: "reversals", max: REVERSALS_MAX, used: REVERSALS_MAX - 1 });
  expect((await desk.reverse(it, "part-1", one)).status).toBe(200);
  const rest = await desk.reverse(it, "rest", { all: true });
  expect([rest.status, rest.body.remaining]).toEqual([201, 0]);
});

test("a coupon comes back so many times and no more", async () => {
  const it = await desk.coupon();
  for (let n = 1; n <= REDEMPTIONS_MAX; n += 1) {
    const at = { ...it, orderId: `${it.orderId}-${n}` };
    expect((await desk.redeem(at, order())).status).toBe(200);
    const { body } = await desk.reverse(at, "all", { all: true });
    expect(body).toMatchObject({
      remaining: 0,
      coupons: [{ state: n < REDEMPTIONS_MAX ? "effective" : "redeemed" }],
    });
  }
  expect((await desk.redeem({ ...it, orderId: `${it.orderId}-x` }, order())).body.code).toBe("coupon_redeemed");
});

test("a reversal's key belongs to its order: the same key reverses the next order's redemption, too", async () => {
  const it = await desk.coupon();
  const next = { ...it, orderId: `${it.orderId}-b` };
  await desk.redeem(it, order());
  expect((await desk.reverse(it, "same", { all: true })).status).toBe(201);
  await desk.redeem(next, order());
  const second = await desk.reverse(next, "same", { all: true });
  expect(second.status).toBe(201);
  expect((await desk.reverse(next, "same", { all: true })).body).toEqual(second.body);
});
