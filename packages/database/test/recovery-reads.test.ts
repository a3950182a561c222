import { type ImageCoupons, touchedBits } from "@coupon/domain";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  couponStates,
  createPositions,
  openShardSnapshot,
  type Pool,
  readCouponRecords,
  readPartition,
  writeEntries,
} from "../src/index.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing.ts";
import { couponsOf, discountOf, factsOf, rulesOf, shardOf, testPool, writeOf } from "./rows.ts";

const dayMs = 86_400_000;
const at = 20_000 * dayMs + 5_000;
const key = { batch: 7, shard: 0 };
const order = (serial: number, orderId = "o1") => ({ ...key, serial, callerId: "shop", orderId });

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = testPool(database.databaseUrl);
  await createPositions(pool, [3]);
  const coupons = [-dayMs, -1, 0, 1, 2, 3].map((offset, index) => ({
    serial: index,
    userId: `user-${index}`,
    atMs: at - 5_000 + offset,
    keyHash: `000000000000000${index}`,
  }));
  await writeEntries(
    pool,
    writeOf(0, {
      shards: [
        shardOf({
          number: 6,
          atMs: at,
          issued: 6,
          day: { startMs: at - 5_000, issued: 4 },
          debited: 30,
          credited: 4,
          rules: JSON.stringify(rulesOf()),
        }),
      ],
      coupons: couponsOf(coupons),
      facts: factsOf({
        transfers: [
          { ...key, number: 2, kind: "debit", peer: 1, transfer: 1, amount: 10, atMs: at },
          { ...key, number: 3, kind: "debit", peer: 1, transfer: 2, amount: 20, atMs: at },
          { ...key, number: 4, kind: "credit", peer: 2, transfer: 1, amount: 4, atMs: at },
        ],
        corrections: [3, 4].map((number) => ({
          ...{ ...key, number, atMs: at, correctionId: `cor_${number}`, stores: ["redis" as const], serials: [] },
          ...{ reason: "a row was lost", proposedBy: "ann", approvedBy: "bob" },
        })),
      }),
    }),
  );
  await writeEntries(
    pool,
    writeOf(1, {
      shards: [shardOf({ number: 9, atMs: at })],
      facts: factsOf({
        states: [
          { ...key, serial: 1, state: couponStates.locked },
          { ...key, serial: 2, state: couponStates.redeemed },
          { ...key, serial: 3, state: couponStates.effective },
          { ...key, serial: 4, state: couponStates.deactivated },
        ],
        holds: [{ ...order(1), payload: "p1", lockedAtMs: at, untilMs: at + 60_000, discount: discountOf(500) }],
        redemptions: [
          { ...order(3, "o0"), number: 6, payload: "p0", redeemedAtMs: at - 9, discount: discountOf(500) },
          { ...order(2), number: 7, payload: "", redeemedAtMs: at, discount: discountOf(400) },
        ],
        reversals: [
          {
            ...order(3, "o0"),
            number: 8,
            reversalId: "r1",
            keyHash: "aa",
            payload: "bb",
            reason: "broken",
            reversedAtMs: at,
            reversed: discountOf(500),
            remaining: 0,
            restored: true,
          },
        ],
        releases: [
          { ...order(3, "old"), number: 3, releasedAtMs: at - dayMs, held: true },
          { ...order(3, "o9"), number: 4, releasedAtMs: at - 50, held: true },
          { ...order(3, "o9"), number: 9, releasedAtMs: at, held: false },
        ],
      }),
    }),
  );
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

async function collect(chunks: AsyncIterable<ImageCoupons>): Promise<ImageCoupons[]> {
  const collected: ImageCoupons[] = [];
  for await (const chunk of chunks) collected.push(chunk);
  return collected;
}

describe("openShardSnapshot", () => {
  it("gives the image of the shard at its last entry", async () => {
    await using snapshot = await openShardSnapshot(pool, { ...key });
    expect(snapshot?.image).toEqual({
      number: 9,
      hash: "ab".repeat(20),
      atMs: at,
      nextSerial: 6,
      left: 100 + 4 - 30 - 6,
      dayStartMs: at - 5_000,
      dayIssued: 4,
      rules: rulesOf(),
      debits: [{ target: 1, transfer: 2, amount: 20 }],
      credits: [{ source: 2, transfer: 1 }],
      corrections: ["cor_3", "cor_4"],
    });
  });

  it("streams every coupon in order, in bounded chunks, with what it is marked by", async () => {
    await using snapshot = await openShardSnapshot(pool, { ...key, chunkSize: 4 });
    const chunks = await collect(snapshot?.coupons() ?? (async function* () {})());
    expect(chunks.map(({ first, count }) => [first, count])).toEqual([
      [0, 4],
      [4, 2],
    ]);
    const { no, on_record, redeemed, deactivated } = touchedBits;
    expect([...(chunks[0]?.touched ?? [])]).toEqual([no, on_record, redeemed, on_record]);
    expect([...(chunks[1]?.touched ?? [])]).toEqual([deactivated, no]);
    expect(chunks.map(({ users }) => Buffer.from(users).toString())).toEqual([
      "user-0\nuser-1\nuser-2\nuser-3\n",
      "user-4\nuser-5\n",
    ]);
    expect(Buffer.from(chunks[0]?.keyHashes ?? []).toString("hex")).toBe(
      "0000000000000000000000000000000100000000000000020000000000000003",
    );
    const seconds = [-dayMs, -1, 0, 1].map((it) => Math.floor((at - 5_000 + it) / 1_000));
    expect([...(chunks[0]?.issuedAtSeconds ?? [])]).toEqual(seconds);
  });

  it("refuses to skip a coupon that is missing", async () => {
    const connection = await pool.connect();
    try {
      await connection.query("DELETE FROM ledger.coupon WHERE batch = 7 AND shard = 0 AND serial = 2");
      await using snapshot = await openShardSnapshot(pool, { ...key });
      await expect(collect(snapshot?.coupons() ?? (async function* () {})())).rejects.toThrow(
        "5 coupons from serial 0 to before 6 where 6 are due",
      );
    } finally {
      await connection.query(
        `INSERT INTO ledger.coupon SELECT 2, issued_at_ms, batch, 2, shard, ${couponStates.redeemed}, via, 'user-2', caller_id
         FROM ledger.coupon WHERE batch = 7 AND shard = 0 AND serial = 3`,
      );
      connection.release();
    }
  });

  it("stays at one entry while the ledger writes on", async () => {
    await using snapshot = await openShardSnapshot(pool, { ...key, chunkSize: 1 });
    const before = await readPartition(pool, 3);
    await writeEntries(
      pool,
      writeOf(before.position, {
        shards: [shardOf({ number: 10, atMs: at, issued: 1 })],
        coupons: couponsOf([{ serial: 6, userId: "user-6", atMs: at }]),
      }),
    );
    const chunks = await collect(snapshot?.coupons() ?? (async function* () {})());
    expect(snapshot?.image.number).toBe(9);
    expect(chunks).toHaveLength(6);
    await using later = await openShardSnapshot(pool, { ...key });
    expect(later?.image).toMatchObject({ number: 10, nextSerial: 7 });
  });

  it("is null for a shard that the ledger does not have, and keeps no connection", async () => {
    expect(await openShardSnapshot(pool, { batch: 8, shard: 0 })).toBeNull();
    expect(pool.totalCount - pool.idleCount).toBe(0);
  });

  it("says below 0 what more is issued than allotted, and starts at serial 0", async () => {
    const shards = [
      shardOf({ batch: 9, issued: 9, rules: JSON.stringify(rulesOf({ allotment: 5 })) }),
      shardOf({ batch: 10, rules: JSON.stringify(rulesOf({ allotment: 5 })) }),
    ];
    await writeEntries(pool, writeOf((await readPartition(pool, 3)).position, { shards }));
    await using over = await openShardSnapshot(pool, { batch: 9, shard: 0 });
    expect(over?.image.left).toBe(-4);
    await using fresh = await openShardSnapshot(pool, { batch: 10, shard: 0 });
    expect(fresh?.image).toMatchObject({ nextSerial: 0, left: 5, dayStartMs: 0, dayIssued: 0 });
  });
});

describe("readCouponRecords", () => {
  it("gives holds, redemptions with their reversals, and releases of the last day", async () => {
    const { number, records } = await readCouponRecords(pool, 7, 0, [1, 2, 3, 4, 5, 99]);
    expect(number).toBeGreaterThanOrEqual(9);
    expect([...records.keys()].sort()).toEqual([1, 2, 3, 4, 5]);
    expect(records.get(1)).toEqual({
      userId: "user-1",
      state: "locked",
      hold: { order: "shop/o1", payload: "p1", untilMs: at + 60_000, discount: discountOf(500) },
      redemptions: [],
      released: [],
    });
    expect(records.get(2)).toEqual({
      userId: "user-2",
      state: "redeemed",
      redemptions: [{ order: "shop/o1", payload: "", redeemedAtMs: at, discount: discountOf(400), reversals: [] }],
      released: [],
    });
    const reversal = {
      keyHash: "aa",
      payload: "bb",
      reversalId: "r1",
      reversedAtMs: at,
      reversed: discountOf(500),
      remaining: 0,
      restored: true,
    };
    expect(records.get(3)).toEqual({
      userId: "user-3",
      state: "effective",
      redemptions: [
        { order: "shop/o0", payload: "p0", redeemedAtMs: at - 9, discount: discountOf(500), reversals: [reversal] },
      ],
      released: [{ order: "shop/o9", untilMs: at + dayMs }],
    });
    expect(records.get(4)?.state).toBe("deactivated");
    expect(records.get(5)).toEqual({ userId: "user-5", state: "effective", redemptions: [], released: [] });
  });

  it("answers number 0 and nothing for a shard that is not there", async () => {
    expect(await readCouponRecords(pool, 77, 0, [1])).toEqual({ number: 0, records: new Map() });
  });
});

describe("readPartition", () => {
  it("stands at the beginning where the ledger has written nothing", async () => {
    expect(await readPartition(pool, 11)).toEqual({ partition: 11, position: 0, epoch: -1, shards: [] });
  });
});
