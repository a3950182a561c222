import { afterAll, beforeAll, expect, test } from "vitest";
import { createShardReads, keyHashOf, type RedisConnection, type SlotPrint } from "../src/index.ts";
import { imageOf, inChunks } from "./support/image.ts";
import { claimOf, connect, hashKey, orderOf, ShardUnderTest } from "./support/shard.ts";

let redis: RedisConnection;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

const about = {
  stores: ["redis" as const],
  serials: [1],
  reason: 'a "slot"\nwas lost',
  proposedBy: "ann",
  approvedBy: "bob",
};

async function opened() {
  const shard = await ShardUnderTest.open(redis, { perUser: 3 });
  const reads = createShardReads({ redis, prefix: shard.prefix, hashKey });
  return { shard, reads, at: shard.at };
}

test("slots are read with the prints that a coupon's user and key must have", async () => {
  const { shard, reads, at } = await opened();
  await shard.claim([claimOf("ann"), claimOf("bob"), claimOf("ann", "2")]);
  const seen = new Map<number, SlotPrint>();
  const standing = await reads.slots(at, 0, 2, (serial, high, low) => seen.set(serial, [high, low]));
  expect(standing).toEqual({ number: 2, nextSerial: 3 });
  const print: SlotPrint = [0, 0];
  const printOf = (userId: string, key: string): SlotPrint => {
    reads.slotPrint(at.batch, userId, keyHashOf(hashKey, "app", "c", key), 2, print);
    return [...print];
  };
  expect([...seen].sort(([a], [b]) => a - b)).toEqual([
    [0, printOf("ann", "k")],
    [1, printOf("bob", "k")],
    [2, printOf("ann", "2")],
  ]);
  expect(printOf("ann", "3")).not.toEqual(printOf("ann", "2"));
});

test("bits and records are read as of one entry, also of what is cold or damaged", async () => {
  const { shard, reads, at } = await opened();
  await shard.issue("ann", "bob", "cid");
  await shard.redeem({ order: orderOf() });
  await shard.deactivate(2);
  const read = await reads.coupons(at, [0, 1, 2]);
  expect(read).toMatchObject({ number: 4, nextSerial: 3 });
  expect(read?.coupons).toMatchObject([
    { bits: 2, warm: true, record: { state: "redeemed", redemptions: [{ order: "app/o1" }] } },
    { bits: 0, warm: false, record: null },
    { bits: 3, warm: false, record: null },
  ]);
  const pages = await reads.pages(at, 0, 2);
  expect(pages?.bits.map((bits) => bits?.[0] ?? null)).toEqual([0b10001100, null]);
  await redis.hset(`${shard.prefix}{7.3}:c0`, "h:app/o1", "p1\n1\nnot JSON");
  expect((await reads.coupons(at, [0]))?.coupons).toEqual([{ bits: 2, warm: true, record: null }]);
  await shard.calls.drop(at);
  expect(await reads.coupons(at, [0])).toBeNull();
});

test("a correction is an entry that changes nothing, once, and is redone", async () => {
  const { shard, reads, at } = await opened();
  await shard.issue("ann", "bob");
  const [before] = await reads.headers([at]);
  const correction = { correctionId: "cor_1", ...about };
  expect(await shard.did(shard.calls.correct(at, shard.expect, correction))).toEqual([
    { kind: "corrected", again: false, rebuild: true },
  ]);
  expect(shard.entries.at(-1)).toMatchObject({ kind: "correct", number: 3, correction });
  expect(await shard.did(shard.calls.correct(at, shard.expect, correction))).toEqual([
    { kind: "corrected", again: true, rebuild: true },
  ]);
  const [after] = await reads.headers([at]);
  const { hash, atMs } = after ?? {};
  expect(after).toEqual({ ...before, number: 3, hash, atMs, correctionId: "cor_1" });
  const other = await ShardUnderTest.open(redis);
  for (const [offset, text] of shard.log.entries())
    expect(await other.calls.redo(other.at, 1, text, offset)).toBe(true);
  const [redone] = await createShardReads({ redis, prefix: other.prefix, hashKey }).headers([at]);
  expect(redone).toMatchObject({ number: 3, hash, atMs, correctionId: "cor_1" });
});

test("a correction is written once, however late it is sent again: after others, and after a rebuild", async () => {
  const { shard, reads, at } = await opened();
  const send = (correctionId: string, stores: ("redis" | "postgresql")[]) =>
    shard.did(shard.calls.correct(at, shard.expect, { ...about, correctionId, stores }));
  expect(await send("cor_1", ["redis"])).toEqual([{ kind: "corrected", again: false, rebuild: true }]);
  expect(await send("cor_2", ["postgresql"])).toEqual([{ kind: "corrected", again: false, rebuild: false }]);
  // The second asks for nothing here, so what the first asks for still stands.
  expect(await reads.headers([at])).toMatchObject([{ correctionId: "cor_1" }]);
  expect(await send("cor_1", ["redis"])).toEqual([{ kind: "corrected", again: true, rebuild: true }]);
  const other = await ShardUnderTest.open(redis);
  for (const [offset, text] of shard.log.entries()) await other.calls.redo(other.at, 1, text, offset);
  const redone = await redis.hget(`${other.prefix}{7.3}:h`, "K");
  expect(redone).toBe(await redis.hget(`${shard.prefix}{7.3}:h`, "K"));
  const { image, coupons } = imageOf(shard);
  const { number, hash } = shard;
  await shard.calls.load(at, { ...image, hash, corrections: ["cor_1", "cor_2"] }, inChunks(coupons, 10), 1);
  for (const id of ["cor_1", "cor_2"]) {
    expect(await send(id, ["redis"])).toEqual([{ kind: "corrected", again: true, rebuild: false }]);
  }
  expect(shard.number).toBe(number);
  for (let more = 3; more <= 18; more += 1) await send(`cor_${more}`, ["postgresql"]);
  expect((await redis.hget(`${shard.prefix}{7.3}:h`, "K"))?.split(" ")).toHaveLength(16);
});
