import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { couponIdIn, one, startReadWorld } from "./support/read-world.ts";
import type { World } from "./support/world.ts";

let world: World;
beforeAll(async () => {
  world = await startReadWorld();
});
afterAll(() => world.close());

const idOf = (index: number, serial: number) => couponIdIn(world, index, serial);

describe("GET /v1/orders/{orderId}", () => {
  it("answers the hold while it lasts", async () => {
    const { status, body } = await world.get("/v1/orders/held");
    expect(status).toBe(200);
    expect(body).toEqual({
      orderId: "held",
      hold: {
        orderId: "held",
        userId: "anna",
        coupons: [{ couponId: idOf(0, 1), discount: 500, lines: [{ lineId: "1", discount: 500 }] }],
        discount: 500,
        lockedUntil: expect.stringMatching(/Z$/),
      },
      reversals: [],
    });
  });

  it("answers the redemption with its reversals, step by step", async () => {
    const read = async () => (await world.get("/v1/orders/used")).body;
    expect(await read()).toEqual({
      orderId: "used",
      redemption: {
        orderId: "used",
        userId: "anna",
        status: "redeemed",
        coupons: [{ couponId: idOf(0, 3), discount: 500, lines: [{ lineId: "1", discount: 500 }] }],
        discount: 500,
        discountReversed: 0,
        redeemedAt: expect.stringMatching(/Z$/),
      },
      reversals: [],
    });
    let after = await world.append(1, [one.reverse(3, "used", 200, 300, false)]);
    const part = (await world.get("/v1/orders/used", { "read-after": after })).body;
    expect(part.redemption).toMatchObject({ status: "partially_reversed", discount: 500, discountReversed: 200 });
    after = await world.append(1, [one.reverse(3, "used", 300, 0, true)]);
    const whole = (await world.get("/v1/orders/used", { "read-after": after })).body;
    expect(whole.redemption).toMatchObject({ status: "reversed", discount: 500, discountReversed: 500 });
    expect(whole.reversals).toEqual([
      {
        ...whole.reversals[0],
        discountReversed: 200,
        remaining: 300,
        coupons: [{ couponId: idOf(0, 3), state: "redeemed" }],
      },
      {
        ...whole.reversals[1],
        discountReversed: 300,
        remaining: 0,
        coupons: [{ couponId: idOf(0, 3), state: "effective" }],
      },
    ]);
    const coupon = await world.get(`/v1/coupons/${idOf(0, 3)}?userId=anna`);
    expect(coupon.body.state).toBe("effective");
  });

  it("refuses a caller of the batch that may not read", async () => {
    const answer = await world.get("/v1/orders/unreadable");
    expect([answer.status, answer.body.code]).toEqual([403, "operation_not_permitted"]);
  });

  it("answers not found alike to the byte: unknown, another caller's, a hold that is over", async () => {
    const answers = await Promise.all([
      world.get("/v1/orders/unknown"),
      world.get("/v1/orders/held", { "x-caller-id": "rival" }),
      world.get("/v1/orders/lapsed"),
    ]);
    for (const answer of answers) {
      expect([answer.status, answer.body.code]).toEqual([404, "order_not_found"]);
      expect(answer.text).toBe(answers[0]?.text);
    }
  });
});

describe("GET /internal/v1/orders/{orderId}/coupons", () => {
  it("names the coupons that the order has redeemed", async () => {
    const { body } = await world.get("/internal/v1/orders/used/coupons?callerId=shop");
    expect(body).toEqual({ orderId: "used", coupons: [{ couponId: idOf(0, 3), userId: "anna" }], caughtUp: true });
  });

  it("says that it means something where there are none and the log is applied", async () => {
    const { body } = await world.get("/internal/v1/orders/unknown/coupons?callerId=shop");
    expect(body).toEqual({ orderId: "unknown", coupons: [], caughtUp: true });
    const rival = await world.get("/internal/v1/orders/used/coupons?callerId=rival");
    expect(rival.body.coupons).toEqual([]);
  });
});
