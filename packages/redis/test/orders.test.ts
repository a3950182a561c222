import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RedisConnection } from "../src/index.ts";
import {
  annAndBob,
  cold,
  connect,
  discount,
  lockOf,
  orderOf,
  redeemOf,
  refused,
  ShardUnderTest,
  untilOf,
} from "./support/shard.ts";

let redis: RedisConnection;
let shard: ShardUnderTest;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

async function start(): Promise<void> {
  shard = await annAndBob(redis);
}

describe("lock", () => {
  test("holds the coupon for its order, with the discount judged", async () => {
    await start();
    expect(await shard.lock()).toEqual([{ kind: "locked", replayed: false, untilMs: shard.atMs + 60_000, discount }]);
    expect(shard.entries.at(-1)).toMatchObject({
      kind: "lock",
      items: [
        {
          serial: 0,
          userId: "ann",
          callerId: "app",
          orderId: "o1",
          payload: "p1",
          untilMs: shard.atMs + 60_000,
          discount,
        },
      ],
    });
    expect(await shard.calls.readRecords(shard.at, [0, 1])).toEqual([
      {
        version: 3,
        record: {
          userId: "ann",
          state: "locked",
          hold: { order: "app/o1", payload: "p1", untilMs: shard.atMs + 60_000, discount },
          redemptions: [],
          released: [],
        },
      },
      { version: 0, record: { userId: "", state: "effective", redemptions: [], released: [] } },
    ]);
  });

  test("repeated, it is the same hold; another payload is a conflict; a later deadline prolongs it", async () => {
    await start();
    const untilMs = untilOf(await shard.lock());
    const other = { ...discount, discount: 1 };
    const shorter = { holdMs: 10_000, verdict: { kind: "discount" as const, discount: other } };
    expect(await shard.lock(shorter)).toEqual([{ kind: "locked", replayed: true, untilMs, discount }]);
    expect(await shard.lock({ payload: "p2" })).toEqual(refused("idempotency_conflict"));
    expect(shard.log).toHaveLength(3);
    const longer = { ...shorter, holdMs: 120_000 };
    expect(await shard.lock({ ...longer, permitted: false })).toMatchObject([{ kind: "locked", untilMs }]);
    expect(await shard.lock({ ...longer, validUntilMs: 1 })).toMatchObject([{ kind: "locked", untilMs }]);
    const prolonged = await shard.lock(longer);
    expect(prolonged).toEqual([{ kind: "locked", replayed: true, untilMs: shard.atMs + 120_000, discount }]);
    expect(shard.entries.at(-1)).toMatchObject({ kind: "lock", items: [{ untilMs: untilOf(prolonged), discount }] });
  });

  test("is refused for the foremost reason", async () => {
    await start();
    const bad = { verdict: { kind: "nothing_to_discount" as const }, validFromMs: 9e12, validUntilMs: 0 };
    expect(await shard.lock({ ...bad, serial: 2 })).toEqual(refused("coupon_not_found"));
    expect(await shard.lock({ ...bad, permitted: false })).toEqual(refused("not_permitted"));
    expect(await shard.lock(bad)).toEqual(refused("coupon_pending"));
    expect(await shard.lock({ ...bad, validFromMs: 0 })).toEqual(refused("coupon_expired"));
    const unfit = { verdict: { kind: "minimum_spend_not_met" as const } };
    expect(await shard.lock(unfit)).toEqual(refused("minimum_spend_not_met"));
    expect(await shard.lock({ verdict: bad.verdict })).toEqual(refused("nothing_to_discount"));
    await shard.lock({ orderId: "o2" });
    expect(await shard.lock(unfit)).toEqual(refused("coupon_locked"));
    await shard.redeem({ orderId: "o2" });
    expect(await shard.lock(unfit)).toEqual(refused("coupon_redeemed"));
    await shard.rules({ version: 2, revoked: true });
    expect(await shard.lock(unfit)).toEqual(refused("coupon_deactivated"));
  });

  test("a hold that is over leaves the coupon to anyone, and to its order anew", async () => {
    await start();
    await shard.lock();
    await shard.step(61_000);
    expect(await shard.lock({ orderId: "o2", holdMs: 10_000 })).toMatchObject([{ kind: "locked", replayed: false }]);
    await shard.step(120_000);
    expect(await shard.lock({ payload: "p2" })).toMatchObject([{ kind: "locked", replayed: false }]);
  });

  test("with revoked coupons a hold in time is repeated as it is", async () => {
    await start();
    const untilMs = untilOf(await shard.lock());
    await shard.rules({ version: 2, state: "deactivated", revoked: true });
    expect(await shard.lock({ holdMs: 120_000 })).toEqual([{ kind: "locked", replayed: true, untilMs, discount }]);
  });

  test("of two orders in one micro-batch the first holds it", async () => {
    await start();
    const outcomes = await shard.did(
      shard.calls.lock(shard.at, shard.expect, [lockOf(), lockOf({ orderId: "o2" }), lockOf()]),
    );
    expect(outcomes).toMatchObject([
      { kind: "locked", replayed: false },
      { kind: "refused", code: "coupon_locked" },
      { kind: "locked", replayed: true },
    ]);
    expect(shard.entries.at(-1)).toMatchObject({ items: [{ orderId: "o1" }] });
  });

  test("of many at once, by owners that know of each other nothing, one holds it", async () => {
    await start();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => shard.calls.lock(shard.at, shard.expect, [lockOf({ orderId: `o${n}` })])),
    );
    expect(results.filter(({ kind }) => kind === "applied")).toHaveLength(1);
  });
});

describe("redeem", () => {
  test("uses what the order holds, and is repeated for all time", async () => {
    await start();
    await shard.lock();
    const [first] = await shard.redeem();
    expect(first).toEqual({ kind: "redeemed", replayed: false, redeemedAtMs: shard.atMs, discount });
    const replay = [{ ...first, replayed: true }];
    expect(await shard.redeem({ permitted: false })).toEqual(replay);
    await shard.reverse({ recordVersion: await shard.version() });
    await shard.rules({ version: 2, state: "deactivated", revoked: true });
    await shard.deactivate();
    expect(await shard.redeem()).toEqual(replay);
    expect(await shard.redeem({ order: orderOf({ verdict: { kind: "nothing_to_discount" } }) })).toEqual(replay);
    expect(await shard.redeem({ order: orderOf({ payload: "p2" }) })).toEqual(refused("idempotency_conflict"));
  });

  test("takes and uses in one step", async () => {
    await start();
    expect(await shard.redeem({ order: orderOf() })).toEqual([
      { kind: "redeemed", replayed: false, redeemedAtMs: shard.atMs, discount },
    ]);
    expect(shard.entries.at(-1)).toMatchObject({
      kind: "redeem",
      items: [{ serial: 0, orderId: "o1", payload: "p1", discount }],
    });
    expect(await shard.redeem({ orderId: "o2", order: orderOf() })).toEqual(refused("coupon_redeemed"));
    expect(await shard.redeem({ orderId: "o2" })).toEqual(refused("coupon_redeemed"));
  });

  test("a hold's discount binds, whatever the order is judged to get now", async () => {
    await start();
    await shard.lock();
    const other = { ...discount, discount: 1 };
    expect(await shard.redeem({ order: orderOf({ verdict: { kind: "discount", discount: other } }) })).toEqual([
      { kind: "redeemed", replayed: false, redeemedAtMs: shard.atMs, discount },
    ]);
  });

  test("a hold in time redeems with its own discount, past the coupon's validity too", async () => {
    await start();
    await shard.lock();
    const late = { validUntilMs: 1, order: orderOf({ verdict: { kind: "minimum_spend_not_met" } }) };
    expect(await shard.redeem({ order: orderOf({ payload: "p2" }) })).toEqual(refused("idempotency_conflict"));
    expect(await shard.redeem({ permitted: false })).toEqual(refused("not_permitted"));
    expect(await shard.redeem(late)).toMatchObject([{ kind: "redeemed", replayed: false, discount }]);
  });

  test("a hold does not outlive the coupon", async () => {
    await start();
    await shard.lock();
    await shard.rules({ version: 2, revoked: true });
    expect(await shard.redeem()).toEqual(refused("coupon_deactivated"));
    await shard.rules({ version: 3, revoked: false });
    await shard.deactivate();
    expect(await shard.redeem()).toEqual(refused("coupon_deactivated"));
    expect(await shard.lock()).toEqual(refused("coupon_deactivated"));
  });

  test("without an order and without a hold in time the foremost reason is given", async () => {
    await start();
    expect(await shard.redeem({ serial: 2 })).toEqual(refused("coupon_not_found"));
    expect(await shard.redeem({ permitted: false })).toEqual(refused("not_permitted"));
    expect(await shard.redeem()).toEqual(refused("hold_ended"));
    await shard.release();
    expect(await shard.redeem()).toEqual(refused("hold_ended"));
    expect(await shard.redeem({ validFromMs: 9e12, validUntilMs: 0 })).toEqual(refused("coupon_pending"));
    await shard.lock({ orderId: "o2" });
    expect(await shard.redeem()).toEqual(refused("coupon_locked"));
    expect(await shard.redeem({ validUntilMs: 0 })).toEqual(refused("coupon_expired"));
    await shard.step(61_000);
    expect(await shard.redeem({ orderId: "o2" })).toEqual(refused("hold_ended"));
    expect(await shard.redeem({ orderId: "o2", order: orderOf({ payload: "p2" }) })).toMatchObject([
      { kind: "redeemed", replayed: false },
    ]);
  });

  test("with an order it is refused as a lock is", async () => {
    await start();
    const redeem = (order: Parameters<typeof orderOf>[0]) => shard.redeem({ order: orderOf(order) });
    expect(await shard.redeem({ order: orderOf(), validFromMs: 9e12 })).toEqual(refused("coupon_pending"));
    expect(await shard.redeem({ order: orderOf(), validUntilMs: 0 })).toEqual(refused("coupon_expired"));
    expect(await redeem({ verdict: { kind: "minimum_spend_not_met" } })).toEqual(refused("minimum_spend_not_met"));
    expect(await redeem({ verdict: { kind: "nothing_to_discount" } })).toEqual(refused("nothing_to_discount"));
    await shard.release();
    expect(await redeem({})).toEqual(refused("order_released"));
    await shard.lock({ orderId: "o2" });
    expect(await redeem({})).toEqual(refused("coupon_locked"));
  });

  test("in one micro-batch, over several pages of bits, each as it would be alone", async () => {
    shard = await ShardUnderTest.open(redis, { allotment: 5_000 });
    for (let from = 0; from < 4_200; from += 700) {
      await shard.issue(...Array.from({ length: 700 }, (_, n) => `user-${from + n}`));
    }
    await shard.lock({ serial: 5, orderId: "other" });
    await shard.deactivate(4_100);
    const order = orderOf();
    const of = (serial: number, orderId = `o${serial}`) =>
      redeemOf({ serial, userId: `user-${serial}`, orderId, order });
    const outcomes = await shard.did(
      shard.calls.redeem(shard.at, shard.expect, [
        of(0),
        of(4_150),
        { ...of(7), permitted: false },
        of(7),
        of(5),
        of(4_100),
        of(9_000),
        of(1),
        of(0, "late"),
        of(5, "other"),
      ]),
    );
    expect(outcomes.map((outcome) => (outcome.kind === "refused" ? outcome.code : outcome.kind))).toEqual([
      ...["redeemed", "redeemed", "not_permitted", "redeemed", "coupon_locked"],
      ...["cold", "coupon_not_found", "redeemed", "coupon_redeemed", "redeemed"],
    ]);
    expect(shard.entries.at(-1)).toMatchObject({
      items: [0, 4_150, 7, 1, 5].map((serial) => ({ serial, payload: "p1", discount })),
    });
    const found = await shard.calls.readRecords(shard.at, [0, 1, 2, 5, 7, 4_150]);
    expect(found.map((each) => each?.record.state)).toEqual([
      ...["redeemed", "redeemed", "effective", "redeemed", "redeemed", "redeemed"],
    ]);
    expect(await shard.redeem(of(4_100))).toEqual(cold);
  });

  test("twice in one micro-batch is once", async () => {
    await start();
    const order = orderOf();
    const requests = [redeemOf({ order }), redeemOf({ order }), redeemOf({ orderId: "o2", order })];
    expect(await shard.did(shard.calls.redeem(shard.at, shard.expect, requests))).toMatchObject([
      { kind: "redeemed", replayed: false },
      { kind: "redeemed", replayed: true },
      { kind: "refused", code: "coupon_redeemed" },
    ]);
  });
});
