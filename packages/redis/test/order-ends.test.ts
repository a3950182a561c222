import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RedeemOutcome, RedisConnection } from "../src/index.ts";
import { annAndBob, cold, connect, discount, orderOf, refused, type ShardUnderTest, untilOf } from "./support/shard.ts";

let redis: RedisConnection;
let shard: ShardUnderTest;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

async function start(): Promise<void> {
  shard = await annAndBob(redis);
}

const redeemedAt = ([outcome]: RedeemOutcome[]): number => (outcome?.kind === "redeemed" ? outcome.redeemedAtMs : -1);

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
