import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RedisConnection } from "../src/index.ts";
import { claimOf, connect, orderOf, ShardUnderTest } from "./support/shard.ts";

let redis: RedisConnection;
let shard: ShardUnderTest;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

const HOUR_MS = 3_600_000;
/** A shard whose last entry is of this time stands still at it, for its time never goes back. */
const startMs = Date.now() + HOUR_MS;
const refused = (code: string) => [{ kind: "refused", code }];

async function standAt(ms: number): Promise<void> {
  await redis.hset(`${shard.prefix}{7.3}:h`, "t", ms);
}

/** A shard with coupon 0 of ann and coupon 1 of bob, that stands at the start. */
beforeEach(async () => {
  shard = await ShardUnderTest.open(redis, { perUser: 9 });
  await shard.issue("ann", "bob");
  await standAt(startMs);
});

describe("a hold", () => {
  test("keeps the coupon up to its last millisecond", async () => {
    await shard.lock({ holdMs: HOUR_MS });
    await standAt(startMs + HOUR_MS - 1);
    expect(await shard.lock({ orderId: "o2" })).toEqual(refused("coupon_locked"));
    expect(await shard.redeem()).toMatchObject([{ kind: "redeemed", redeemedAtMs: startMs + HOUR_MS - 1 }]);
  });

  test("is over at its deadline, for its order and for others", async () => {
    await shard.lock({ holdMs: HOUR_MS });
    await standAt(startMs + HOUR_MS);
    expect(await shard.redeem()).toEqual(refused("hold_ended"));
    expect(await shard.lock({ orderId: "o2" })).toMatchObject([{ kind: "locked", replayed: false }]);
  });
});

describe("a validity", () => {
  const inOneStep = { serial: 1, userId: "bob", orderId: "o3", order: orderOf() };
  const endsMs = startMs + HOUR_MS;

  test("begins with its first millisecond", async () => {
    await standAt(endsMs - 1);
    expect(await shard.lock({ validFromMs: endsMs })).toEqual(refused("coupon_pending"));
    expect(await shard.redeem({ ...inOneStep, validFromMs: endsMs })).toEqual(refused("coupon_pending"));
    await standAt(endsMs);
    expect(await shard.lock({ validFromMs: endsMs })).toMatchObject([{ kind: "locked" }]);
    expect(await shard.redeem({ ...inOneStep, validFromMs: endsMs })).toMatchObject([{ kind: "redeemed" }]);
  });

  test("lasts up to its end, exclusive", async () => {
    await standAt(endsMs - 1);
    expect(await shard.lock({ validUntilMs: endsMs, holdMs: 1 })).toMatchObject([{ kind: "locked", replayed: false }]);
    await standAt(endsMs);
    expect(await shard.lock({ validUntilMs: endsMs })).toEqual(refused("coupon_expired"));
    expect(await shard.redeem({ ...inOneStep, validUntilMs: endsMs })).toEqual(refused("coupon_expired"));
  });

  test("that is over lets no hold be prolonged", async () => {
    await shard.lock({ validUntilMs: endsMs, holdMs: HOUR_MS + 1 });
    await standAt(endsMs);
    const again = await shard.lock({ validUntilMs: endsMs, holdMs: 2 * HOUR_MS });
    expect(again).toMatchObject([{ kind: "locked", replayed: true, untilMs: endsMs + 1 }]);
  });
});

test("a window begins with its first millisecond, and is over at its end", async () => {
  const [fromMs, untilMs] = [startMs + 1, startMs + HOUR_MS];
  await shard.rules({ version: 2, perUser: 9, fromMs, untilMs });
  const claimAt = async (ms: number) => {
    await standAt(ms);
    return (await shard.claim([claimOf("cat", `k${ms}`)]))[0]?.kind;
  };
  expect(await claimAt(fromMs - 1)).toBe("batch_not_started");
  expect(await claimAt(fromMs)).toBe("issued");
  expect(await claimAt(untilMs - 1)).toBe("issued");
  expect(await claimAt(untilMs)).toBe("batch_ended");
});

test("an order that was released may not lock for a day, to the millisecond", async () => {
  await shard.release();
  await standAt(startMs + 24 * HOUR_MS - 1);
  expect(await shard.lock()).toEqual(refused("order_released"));
  await standAt(startMs + 24 * HOUR_MS);
  expect(await shard.lock()).toMatchObject([{ kind: "locked" }]);
});
