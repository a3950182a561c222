import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  CouponCopy,
  couponStates,
  createPositions,
  isRefusedByData,
  type Pool,
  PositionMoved,
  readPartition,
  readPositions,
  STATE_TOUCHED,
  writeEntries,
} from "../src/index.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing.ts";
import { couponsOf, discountOf, factsOf, rulesOf, shardOf, testPool, writeOf } from "./rows.ts";

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = testPool(database.databaseUrl);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

beforeEach(async () => {
  await pool.query(`TRUNCATE ledger.partition_position, ledger.shard, ledger.coupon, ledger.hold, ledger.redemption,
    ledger.reversal, ledger.release, ledger.deactivation, ledger.rules_history, ledger.transfer`);
  await createPositions(pool, [3, 4]);
});

const at = 1_800_000_000_123;
const count = async (table: string) => (await pool.query(`SELECT count(*) AS n FROM ledger.${table}`)).rows[0].n;

describe("writeEntries", () => {
  it("writes coupons as they were issued and moves the position", async () => {
    await writeEntries(
      pool,
      writeOf(0, {
        positions: [{ partition: 3, from: 0, to: 5, epoch: 2 }],
        shards: [shardOf({ number: 2, issued: 2, rules: JSON.stringify(rulesOf()) })],
        coupons: couponsOf([
          { serial: 1, userId: "anna", atMs: at, keyHash: "ffeeddccbbaa9988" },
          { serial: 2, userId: `u${"x".repeat(127)}`, atMs: at },
        ]),
      }),
    );
    const { rows } = await pool.query(
      "SELECT *, lpad(to_hex(key_hash), 16, '0') AS hex FROM ledger.coupon WHERE serial = 1",
    );
    expect(rows[0]).toMatchObject({ batch: 7, shard: 0, serial: 1, state: 0, via: "c", hex: "ffeeddccbbaa9988" });
    expect(rows[0]).toMatchObject({ issued_at_ms: at, user_id: "anna", caller_id: "shop" });
    expect(await readPositions(pool, [3])).toEqual([{ partition: 3, position: 5, epoch: 2 }]);
    expect((await readPartition(pool, 3)).shards).toEqual([
      { batch: 7, shard: 0, number: 2, hash: "ab".repeat(20), atMs: 1_800_000_000_000 },
    ]);
  });

  it("writes nothing where a position has moved, and names the partition", async () => {
    await writeEntries(pool, writeOf(0));
    const again = writeEntries(
      pool,
      writeOf(0, {
        positions: [
          { partition: 3, from: 0, to: 1, epoch: 0 },
          { partition: 4, from: 0, to: 9, epoch: 0 },
        ],
        shards: [shardOf()],
        coupons: couponsOf([{ serial: 1, userId: "anna", atMs: at }]),
      }),
    );
    await expect(again).rejects.toThrow(PositionMoved);
    await expect(again).rejects.toMatchObject({ partitions: [3] });
    expect(await count("coupon")).toBe(0);
    expect((await readPositions(pool, [4]))[0]?.position).toBe(0);
  });

  it("lets exactly one of many that write the same step through", async () => {
    const coupons = () => couponsOf([{ serial: 1, userId: "anna", atMs: at }]);
    const attempts = Array.from({ length: 4 }, () => writeEntries(pool, writeOf(0, { coupons: coupons() })));
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter((each) => each.status === "fulfilled")).toHaveLength(1);
    for (const each of outcomes) if (each.status === "rejected") expect(each.reason).toBeInstanceOf(PositionMoved);
    expect(await count("coupon")).toBe(1);
  });

  it("adds a shard's counters up, and keeps rules that do not change", async () => {
    const rules = JSON.stringify(rulesOf());
    await writeEntries(pool, writeOf(0, { shards: [shardOf({ issued: 2, rules })] }));
    await writeEntries(pool, writeOf(1, { shards: [shardOf({ number: 4, debited: 5, discounted: 70 })] }));
    const { rows } = await pool.query("SELECT * FROM ledger.shard");
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ number: 4, issued: 2, debited: 5, discounted: 70 });
    expect(rows[0].rules).toEqual(rulesOf());
  });

  it("counts the issues of the last day, and begins anew with the next", async () => {
    const steps = [
      { issued: 2, day: { startMs: 1_000, issued: 2 } },
      { issued: 3, day: { startMs: 1_000, issued: 3 } },
      {},
      { issued: 9, day: { startMs: 2_000, issued: 4 } },
    ];
    const seen: unknown[] = [];
    for (const [position, step] of steps.entries()) {
      await writeEntries(pool, writeOf(position, { shards: [shardOf(step)] }));
      seen.push((await pool.query("SELECT issued, day_start_ms, day_issued FROM ledger.shard")).rows[0]);
    }
    expect(seen).toEqual([
      { issued: 2, day_start_ms: 1_000, day_issued: 2 },
      { issued: 5, day_start_ms: 1_000, day_issued: 5 },
      { issued: 5, day_start_ms: 1_000, day_issued: 5 },
      { issued: 14, day_start_ms: 2_000, day_issued: 4 },
    ]);
  });

  it("writes every kind of fact", async () => {
    const coupon = { batch: 7, shard: 0, serial: 1 };
    const order = { ...coupon, callerId: "shop", orderId: 'o"1' };
    await writeEntries(pool, writeOf(0, { coupons: couponsOf([{ serial: 1, userId: "anna", atMs: at }]) }));
    const discount = discountOf(500);
    await writeEntries(
      pool,
      writeOf(1, {
        facts: factsOf({
          states: [{ ...coupon, state: couponStates.locked }],
          holds: [{ ...order, payload: "p1", lockedAtMs: at, untilMs: at + 10, discount }],
          releases: [{ ...order, number: 2, releasedAtMs: at, held: false }],
          rules: [{ batch: 7, shard: 0, number: 3, atMs: at, version: 9, rules: JSON.stringify(rulesOf()) }],
          transfers: [
            { batch: 7, shard: 0, number: 4, kind: "debit", peer: 1, transfer: 1, amount: 5, atMs: at },
            { batch: 7, shard: 0, number: 5, kind: "credit", peer: 1, transfer: 1, amount: 5, atMs: at },
          ],
        }),
      }),
    );
    expect((await pool.query("SELECT * FROM ledger.hold")).rows[0]).toMatchObject({ order_id: 'o"1', discount });
    await writeEntries(
      pool,
      writeOf(2, {
        facts: factsOf({
          states: [{ ...coupon, state: couponStates.redeemed }],
          holdsEnded: [coupon],
          redemptions: [{ ...order, number: 6, payload: "", redeemedAtMs: at, discount }],
          reversals: [
            {
              ...order,
              number: 7,
              reversalId: "r1",
              keyHash: "k",
              payload: "q",
              reason: "it broke, said “she”",
              reversedAtMs: at,
              reversed: discountOf(200),
              remaining: 300,
              restored: false,
            },
          ],
          deactivations: [{ ...coupon, number: 8, reason: "fraud", deactivatedAtMs: at }],
        }),
      }),
    );
    for (const table of ["redemption", "reversal", "release", "deactivation", "rules_history"]) {
      expect(await count(table), table).toBe(1);
    }
    expect(await count("transfer")).toBe(2);
    expect(await count("hold")).toBe(0);
    expect((await pool.query("SELECT state FROM ledger.coupon")).rows).toEqual([{ state: 3 }]);
  });

  it("puts a coupon on record without changing another state", async () => {
    const coupons = couponsOf([
      { serial: 1, userId: "anna", atMs: at },
      { serial: 2, userId: "ben", atMs: at },
    ]);
    const touch = { batch: 7, shard: 0, state: STATE_TOUCHED } as const;
    await writeEntries(pool, writeOf(0, { coupons }));
    const locked = [{ batch: 7, shard: 0, serial: 2, state: couponStates.locked }];
    await writeEntries(pool, writeOf(1, { facts: factsOf({ states: locked }) }));
    const states = [1, 2].map((serial) => ({ ...touch, serial }));
    await writeEntries(pool, writeOf(2, { facts: factsOf({ states }) }));
    const { rows } = await pool.query("SELECT serial, state FROM ledger.coupon ORDER BY serial");
    expect(rows).toEqual([
      { serial: 1, state: 1 },
      { serial: 2, state: 2 },
    ]);
  });

  it("writes the states, holds and redemptions of many coupons of several shards", async () => {
    const many = Array.from({ length: 100 }, (_, serial) => serial);
    const shards = [0, 1];
    const place = (shard: number, serial: number) => ({ batch: 7, shard, serial });
    const order = (shard: number, serial: number) => ({
      ...place(shard, serial),
      callerId: "shop",
      orderId: `order "${serial}" – ${shard}\t`,
      payload: "p",
      discount: discountOf(500),
    });
    const everywhere = shards.flatMap((shard) => many.map((serial) => [shard, serial] as const));
    const coupons = everywhere.map(([shard, serial]) => ({ shard, serial, userId: `u${serial}`, atMs: at }));
    await writeEntries(pool, writeOf(0, { coupons: couponsOf(coupons) }));
    const holds = everywhere.map(([shard, serial]) => ({ ...order(shard, serial), lockedAtMs: at, untilMs: at + 9 }));
    const touched = many.map((serial) => ({ ...place(1, serial), state: STATE_TOUCHED }) as const);
    const locked = many.slice(0, 98).map((serial) => ({ ...place(0, serial), state: couponStates.locked }));
    await writeEntries(pool, writeOf(1, { facts: factsOf({ holds, states: [...locked, ...touched] }) }));
    const done = everywhere.filter(([, serial]) => serial % 2 === 0);
    await writeEntries(
      pool,
      writeOf(2, {
        facts: factsOf({
          states: [
            ...done.map(([shard, serial]) => ({ ...place(shard, serial), state: couponStates.redeemed })),
            { ...place(0, 1), state: couponStates.deactivated },
          ],
          holdsEnded: [...done.map(([shard, serial]) => place(shard, serial)), place(1, 1)],
          redemptions: done.map(([shard, serial]) => ({ ...order(shard, serial), number: 3, redeemedAtMs: at })),
        }),
      }),
    );
    const { rows } = await pool.query(
      "SELECT shard, state, count(*)::int AS n FROM ledger.coupon GROUP BY 1, 2 ORDER BY 1, 2",
    );
    expect(rows).toEqual([
      { shard: 0, state: 0, n: 1 },
      { shard: 0, state: 2, n: 48 },
      { shard: 0, state: 3, n: 50 },
      { shard: 0, state: 4, n: 1 },
      { shard: 1, state: 1, n: 50 },
      { shard: 1, state: 3, n: 50 },
    ]);
    const held = await pool.query("SELECT shard, count(*)::int AS n FROM ledger.hold GROUP BY 1 ORDER BY 1");
    expect(held.rows).toEqual([
      { shard: 0, n: 50 },
      { shard: 1, n: 49 },
    ]);
    expect(await count("redemption")).toBe(100);
    const one = await pool.query("SELECT * FROM ledger.redemption WHERE shard = 1 AND serial = 98");
    expect(one.rows[0]).toEqual({
      ...{ batch: 7, shard: 1, serial: 98, number: 3, caller_id: "shop", order_id: 'order "98" – 1\t', payload: "p" },
      ...{ redeemed_at_ms: at, discount: 500, currency: discountOf(500).currency, lines: discountOf(500).lines },
    });
  });

  it("refuses a redemption whose numbers are none, and leaves the position where it was", async () => {
    const redemption = { batch: 7, shard: 0, serial: 1.5, number: 1, callerId: "shop", orderId: "o", payload: "" };
    const redemptions = [{ ...redemption, redeemedAtMs: at, discount: discountOf(1) }];
    const write = writeEntries(pool, writeOf(0, { facts: factsOf({ redemptions }) }));
    await expect(write).rejects.toThrow(RangeError);
    expect((await readPositions(pool, [3]))[0]?.position).toBe(0);
  });

  it("refuses a coupon twice and leaves the position where it was", async () => {
    const coupons = () => couponsOf([{ serial: 1, userId: "anna", atMs: at }]);
    await writeEntries(pool, writeOf(0, { coupons: coupons() }));
    const error = await writeEntries(pool, writeOf(1, { coupons: coupons() })).catch((reason: unknown) => reason);
    expect(isRefusedByData(error)).toBe(true);
    expect((await readPositions(pool, [3]))[0]?.position).toBe(1);
    await writeEntries(pool, writeOf(1));
  });

  it("fails and gives its connection back when the server ends it in the middle", async () => {
    const blocker = await pool.connect();
    await blocker.query("BEGIN");
    await blocker.query("SELECT 1 FROM ledger.partition_position WHERE partition = 3 FOR UPDATE");
    const write = writeEntries(pool, writeOf(0)).then(
      () => "written",
      (error: unknown) => error,
    );
    const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND datname = current_database()`;
    while ((await blocker.query(kill)).rowCount === 0);
    expect(await write).toBeInstanceOf(Error);
    await blocker.query("ROLLBACK");
    blocker.release();
    await writeEntries(pool, writeOf(0));
    expect(pool.totalCount - pool.idleCount).toBe(0);
  });
});

describe("CouponCopy", () => {
  it("grows beyond its first buffer and is empty again once cleared", async () => {
    const copy = new CouponCopy();
    const userId = "u".repeat(128);
    for (let serial = 1; serial <= 3_000; serial++) copy.add(7, 0, at, [serial, userId, "shop", "0".repeat(16), "g"]);
    await writeEntries(pool, writeOf(0, { coupons: copy }));
    expect(await count("coupon")).toBe(3_000);
    copy.clear();
    expect(copy.rows).toBe(0);
    copy.add(7, 0, at, [3_001, "é", "shop", "0".repeat(16), "g"]);
    await writeEntries(pool, writeOf(1, { coupons: copy }));
    expect((await pool.query("SELECT user_id FROM ledger.coupon WHERE serial = 3001")).rows[0].user_id).toBe("é");
  });

  it("refuses what does not fit its columns", () => {
    const copy = new CouponCopy();
    const add = (batch: number, serial: number, hash: string) => copy.add(batch, 0, at, [serial, "u", "c", hash, "c"]);
    expect(() => add(2 ** 31, 1, "0".repeat(16))).toThrow(RangeError);
    expect(() => add(1, 2 ** 31, "0".repeat(16))).toThrow(RangeError);
    expect(() => add(1, 1.5, "0".repeat(16))).toThrow(RangeError);
    expect(() => add(1, Number.NaN, "0".repeat(16))).toThrow(RangeError);
    expect(() => add(1, 1, "0".repeat(15))).toThrow(RangeError);
    expect(() => add(1, 1, `${"0".repeat(15)}g`)).toThrow(RangeError);
    expect(copy.rows).toBe(0);
  });
});
