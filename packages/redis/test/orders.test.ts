import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LockOutcome, RedeemOutcome, RedisConnection } from "../src/index.ts";
import { connect, discount, lockOf, orderOf, redeemOf, ShardUnderTest } from "./support/shard.ts";

let redis: RedisConnection;
let shard: ShardUnderTest;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

const refused = (code: string) => [{ kind: "refused", code }];
const cold = [{ kind: "cold" }];

/** A shard with coupon 0 of ann and coupon 1 of bob. */
async function start(): Promise<void> {
  shard = await ShardUnderTest.open(redis, {});
  await shard.issue("ann", "bob");
}

const untilOf = ([outcome]: LockOutcome[]): number => (outcome?.kind === "locked" ? outcome.untilMs : -1);
const redeemedAt = ([outcome]: RedeemOutcome[]): number => (outcome?.kind === "redeemed" ? outcome.redeemedAtMs : -1);

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

describe("release", () => {
  test("gives the hold back, once, and keeps a late lock away for a day", async () => {
    await start();
    await shard.lock();
    expect(await shard.release({ permitted: false })).toEqual(refused("not_permitted"));
    expect(await shard.release()).toEqual([{ kind: "released", state: "effective" }]);
    expect(shard.entries.at(-1)).toMatchObject({ kind: "release", items: [{ serial: 0, orderId: "o1", held: true }] });
    expect(await shard.release()).toEqual([{ kind: "released", state: "effective" }]);
    expect(shard.log).toHaveLength(4);
    expect(await shard.lock()).toEqual(refused("order_released"));
    expect(await shard.lock({ orderId: "o2", holdMs: 10_000 })).toMatchObject([{ kind: "locked" }]);
    await shard.step(86_400_000);
    expect(await shard.lock()).toMatchObject([{ kind: "locked" }]);
  });

  test("of nothing leaves a tombstone and says what the coupon is", async () => {
    await start();
    expect(await shard.release({ serial: 2 })).toEqual(refused("coupon_not_found"));
    expect(await shard.release()).toEqual([{ kind: "released", state: "effective" }]);
    expect(shard.entries.at(-1)).toMatchObject({ kind: "release", items: [{ held: false }] });
    await shard.lock({ orderId: "o2" });
    expect(await shard.release({ orderId: "o3" })).toEqual([{ kind: "released", state: "locked" }]);
    expect(await shard.redeem({ orderId: "o2" })).toMatchObject([{ kind: "redeemed" }]);
    const { length } = shard.log;
    expect(await shard.release({ orderId: "o2" })).toEqual([{ kind: "released", state: "redeemed", used: true }]);
    expect(await shard.release({ orderId: "o4" })).toEqual([{ kind: "released", state: "redeemed" }]);
    await shard.deactivate(1);
    expect(await shard.release({ serial: 1 })).toEqual(cold);
    expect(shard.log).toHaveLength(length + 2);
    await shard.reverse({ orderId: "o2", recordVersion: await shard.version() });
    expect(await shard.lock({ orderId: "o4" })).toEqual(refused("order_released"));
    expect(await shard.release({ orderId: "o2" })).toEqual([{ kind: "released", state: "effective", used: true }]);
  });

  test("keeps at most 64 tombstones that live", async () => {
    await start();
    for (let n = 0; n < 64; n += 1) await shard.release({ orderId: `r${n}` });
    const { length } = shard.log;
    expect(await shard.release()).toEqual([{ kind: "released", state: "effective" }]);
    expect(shard.log).toHaveLength(length);
    expect(await shard.release({ orderId: "r0" })).toEqual([{ kind: "released", state: "effective" }]);
    await shard.step(86_400_001);
    expect(await shard.release()).toEqual([{ kind: "released", state: "effective" }]);
    const [found] = await shard.calls.readRecords(shard.at, [0]);
    expect(found?.record.released).toEqual([{ order: "app/o1", untilMs: shard.atMs + 86_400_000 }]);
  });
});

describe("reverse", () => {
  const keyHash = "00000000000000bb";

  test("brings no coupon back that is not redeemed", async () => {
    await start();
    await shard.redeem({ order: orderOf() });
    await shard.reverse({ recordVersion: await shard.version() });
    const again = { keyHash, reversalId: "r2" };
    expect(await shard.reverse({ ...again, recordVersion: await shard.version() })).toEqual(
      refused("reversal_exceeds_redemption"),
    );
    await shard.lock({ orderId: "o2" });
    expect(await shard.reverse({ ...again, recordVersion: await shard.version() })).toEqual(
      refused("reversal_exceeds_redemption"),
    );
    expect(await shard.lock({ orderId: "o3" })).toEqual(refused("coupon_locked"));
  });

  test("in part leaves the coupon redeemed, in whole it comes back", async () => {
    await start();
    await shard.redeem({ order: orderOf() });
    const part = { ...discount, discount: 200 };
    const half = { keyHash, reversed: part, remaining: 300, restored: false, reversalId: "r1", reason: 'torn "x"\n' };
    expect(await shard.reverse({ ...half, recordVersion: await shard.version() })).toEqual([
      { kind: "reversed", reversedAtMs: shard.atMs },
    ]);
    const reversal = { serial: 0, reversalId: "r1", keyHash, payload: "all", reason: half.reason, reversed: part };
    expect(shard.entries.at(-1)).toMatchObject({
      kind: "reverse",
      items: [{ ...reversal, remaining: 300, restored: false }],
    });
    expect(await shard.lock({ orderId: "o2" })).toEqual(refused("coupon_redeemed"));
    await shard.reverse({ recordVersion: await shard.version() });
    const [found] = await shard.calls.readRecords(shard.at, [0]);
    expect(found?.record).toMatchObject({
      state: "effective",
      redemptions: [
        {
          order: "app/o1",
          payload: "p1",
          reversals: [
            { keyHash, remaining: 300 },
            { remaining: 0, restored: true },
          ],
        },
      ],
    });
    expect(await shard.lock()).toEqual(refused("coupon_redeemed"));
    expect(await shard.lock({ orderId: "o2" })).toMatchObject([{ kind: "locked" }]);
  });

  test("is stale where the record is not the one that was read, or the key is on record", async () => {
    await start();
    await shard.redeem({ order: orderOf() });
    const version = await shard.version();
    expect(await shard.reverse({ recordVersion: version - 1 })).toEqual([{ kind: "stale" }]);
    await shard.reverse({ recordVersion: version, restored: false, remaining: 1 });
    expect(await shard.reverse({ recordVersion: version, keyHash })).toEqual([{ kind: "stale" }]);
    expect(await shard.reverse({ recordVersion: await shard.version() })).toEqual([{ kind: "stale" }]);
    expect(await shard.reverse({ recordVersion: await shard.version(), permitted: false })).toEqual([
      { kind: "stale" },
    ]);
  });

  test("is refused where there is nothing to reverse", async () => {
    await start();
    expect(await shard.reverse({ serial: 2 })).toEqual(refused("coupon_not_found"));
    expect(await shard.reverse({ permitted: false })).toEqual(refused("not_permitted"));
    expect(await shard.reverse({})).toEqual(refused("reversal_exceeds_redemption"));
    await shard.redeem({ order: orderOf() });
    const recordVersion = await shard.version();
    expect(await shard.reverse({ recordVersion, orderId: "o2" })).toEqual(refused("reversal_exceeds_redemption"));
  });
});

describe("deactivate", () => {
  test("kills a coupon, its hold with it, once; not a redeemed one", async () => {
    await start();
    await shard.lock();
    expect(await shard.deactivate()).toEqual([{ kind: "deactivated" }]);
    expect(shard.entries.at(-1)).toMatchObject({ kind: "deactivate", items: [{ serial: 0, reason: 'bad "luck"\n' }] });
    expect(await shard.deactivate()).toEqual([{ kind: "deactivated" }]);
    expect(shard.log).toHaveLength(4);
    expect(await shard.release()).toEqual([{ kind: "released", state: "deactivated" }]);
    expect(await shard.redeem({ order: orderOf() })).toEqual(refused("coupon_deactivated"));
    expect(await shard.deactivate(2)).toEqual(refused("coupon_not_found"));
    await shard.redeem({ serial: 1, userId: "bob", order: orderOf() });
    expect(await shard.deactivate(1)).toEqual(refused("coupon_redeemed"));
  });
});

describe("a cold record", () => {
  test("answers cold until it is put back", async () => {
    await start();
    await shard.redeem({ order: orderOf() });
    await shard.reverse({ recordVersion: await shard.version(), restored: false, remaining: 1 });
    await shard.release({ serial: 1 });
    const [found, released] = await shard.calls.readRecords(shard.at, [0, 1]);
    await shard.cool(0);
    await shard.cool(1);
    expect(await shard.calls.readRecords(shard.at, [0, 1])).toEqual([null, null]);
    expect(await shard.lock()).toEqual(cold);
    expect(await shard.redeem()).toEqual(cold);
    expect(await shard.release()).toEqual(cold);
    expect(await shard.reverse({})).toEqual(cold);
    if (!found || !released) throw new Error("no records");
    const records = [
      { serial: 0, record: found.record },
      { serial: 1, record: released.record },
    ];
    expect(await shard.did(shard.calls.warm(shard.at, shard.expect, records))).toEqual([]);
    expect(await shard.calls.readRecords(shard.at, [0, 1])).toEqual(
      [found, released].map(({ record }) => ({ version: shard.number, record })),
    );
    expect(redeemedAt(await shard.redeem())).toBe(found.record.redemptions[0]?.redeemedAtMs);
    expect(await redis.pttl(`${shard.prefix}{7.3}:c0`)).toBeGreaterThan(47 * 3_600_000);
  });

  test("an outdated record, or one that is there, does not count", async () => {
    await start();
    await shard.lock();
    const [held] = await shard.calls.readRecords(shard.at, [0]);
    if (!held) throw new Error("no record");
    await shard.lock({ holdMs: 120_000 });
    const [prolonged] = await shard.calls.readRecords(shard.at, [0]);
    await shard.did(shard.calls.warm(shard.at, shard.expect, [{ serial: 0, record: held.record }]));
    expect(await shard.calls.readRecords(shard.at, [0])).toEqual([prolonged]);
    await shard.redeem();
    await shard.did(shard.calls.warm(shard.at, shard.expect, [{ serial: 0, record: held.record }]));
    expect(await shard.calls.readRecords(shard.at, [0])).toMatchObject([{ record: { state: "redeemed" } }]);
    await shard.cool();
    await shard.did(shard.calls.warm(shard.at, shard.expect, [{ serial: 0, record: held.record }]));
    expect(await shard.calls.readRecords(shard.at, [0])).toEqual([null]);
  });

  test("a hold on record comes back with its record", async () => {
    await start();
    const untilMs = untilOf(await shard.lock());
    const [held] = await shard.calls.readRecords(shard.at, [0]);
    await shard.cool();
    if (!held) throw new Error("no record");
    await shard.did(shard.calls.warm(shard.at, shard.expect, [{ serial: 0, record: held.record }]));
    expect(await shard.lock({ holdMs: 10_000 })).toEqual([{ kind: "locked", replayed: true, untilMs, discount }]);
  });
});
