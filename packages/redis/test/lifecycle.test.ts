import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RedisConnection } from "../src/index.ts";
import { busy } from "./support/busy.ts";
import { dump } from "./support/dump.ts";
import { claimOf, connect, rulesOf, ShardUnderTest } from "./support/shard.ts";

let redis: RedisConnection;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

/** A second shard of the same address, empty, under another prefix. */
async function twin(shard: ShardUnderTest): Promise<ShardUnderTest> {
  const other = new ShardUnderTest(redis);
  await other.calls.open(other.at, null, shard.epoch);
  return other;
}

async function redoAll(from: ShardUnderTest, to: ShardUnderTest): Promise<boolean[]> {
  const done: boolean[] = [];
  for (const [index, text] of from.log.entries()) done.push(await to.calls.redo(to.at, to.epoch, text, 101 + index));
  return done;
}

describe("rules", () => {
  test("the same or older ones change nothing; buckets stay those of the first", async () => {
    const shard = await ShardUnderTest.open(redis, { version: 2, allotment: 5, buckets: 4 });
    expect(await shard.rules({ version: 2, allotment: 50 })).toEqual([{ shortBy: 0 }]);
    expect(await shard.rules({ version: 1, allotment: 50 })).toEqual([{ shortBy: 0 }]);
    expect(shard.log).toHaveLength(1);
    await shard.rules({ version: 3, allotment: 7, state: "paused", buckets: 8, perDay: 3, perUserPerDay: 1 });
    const rules = rulesOf({ version: 3, allotment: 7, state: "paused", buckets: 4, perDay: 3, perUserPerDay: 1 });
    expect(shard.entries.at(-1)).toMatchObject({ kind: "rules", rules });
    expect(await shard.calls.readHeaders([shard.at])).toMatchObject([{ rules, left: 7 }]);
  });

  test("numbers that are none are refused before they are sent", async () => {
    const shard = await ShardUnderTest.open(redis);
    await expect(shard.rules({ allotment: 1.5 })).rejects.toThrow(RangeError);
    await expect(shard.rules({ perDay: -1 })).rejects.toThrow(RangeError);
    await expect(shard.rules({ buckets: 0 })).rejects.toThrow(RangeError);
  });
});

describe("stock transfers", () => {
  const ask = (amount: number, credited: number) => ({ target: 1, amount, credited });

  test("a debit takes what there is, and is given again until it is credited", async () => {
    const shard = await ShardUnderTest.open(redis, { allotment: 10 });
    await shard.issue("ann");
    const debit = (amount: number, credited: number) =>
      shard.did(shard.calls.debit(shard.at, shard.expect, ask(amount, credited)));
    expect(await debit(4, 0)).toEqual([{ amount: 4, transfer: 1, issued: 1 }]);
    expect(await debit(100, 0)).toEqual([{ amount: 4, transfer: 1, issued: 1 }]);
    expect(await debit(100, 1)).toEqual([{ amount: 5, transfer: 2, issued: 1 }]);
    expect(await debit(100, 2)).toEqual([{ amount: 0, transfer: 2, issued: 1 }]);
    await expect(debit(1, 3)).rejects.toThrow("was credited with transfer 3 of 2");
    expect(shard.entries.slice(2)).toMatchObject([
      { kind: "debit", target: 1, amount: 4, transfer: 1 },
      { kind: "debit", target: 1, amount: 5, transfer: 2 },
    ]);
    expect(await shard.claim([claimOf("bob")])).toMatchObject([{ kind: "stock_exhausted" }]);
  });

  test("a credit counts once, and none is skipped", async () => {
    const shard = await ShardUnderTest.open(redis, { allotment: 0 });
    const credit = (transfer: number) => shard.did(shard.calls.credit(shard.at, shard.expect, 2, 3, transfer));
    expect(await credit(1)).toEqual([{ credited: true }]);
    expect(await credit(1)).toEqual([{ credited: false }]);
    await expect(credit(3)).rejects.toThrow("skips 2");
    expect(await shard.calls.readCredits(shard.at)).toEqual(new Map([[2, 1]]));
    expect(await shard.calls.readHeaders([shard.at])).toMatchObject([{ left: 3 }]);
    await shard.issue("ann", "bob", "cid");
  });
});

describe("open", () => {
  test("creates a shard once, and sets the epoch where all is as expected", async () => {
    const shard = new ShardUnderTest(redis);
    const { calls, at } = shard;
    expect(await calls.open(at, { epoch: 1, number: 0, hash: "" }, 5)).toBe(false);
    expect(await calls.open(at, null, 5)).toBe(true);
    expect(await calls.open(at, null, 6)).toBe(false);
    expect(await calls.open(at, { epoch: 4, number: 0, hash: "" }, 6)).toBe(false);
    expect(await calls.open(at, { epoch: 5, number: 1, hash: "" }, 6)).toBe(false);
    expect(await calls.open(at, { epoch: 5, number: 0, hash: "another" }, 6)).toBe(false);
    expect(await calls.open(at, { epoch: 5, number: 0, hash: "" }, 6)).toBe(true);
    expect(await calls.readHeaders([at, { batch: 7, shard: 4 }])).toMatchObject([
      { epoch: 6, number: 0, nextSerial: 0 },
      null,
    ]);
  });

  test("of many openings one wins", async () => {
    const shard = new ShardUnderTest(redis);
    const created = await Promise.all([1, 2, 3, 4].map((epoch) => shard.calls.open(shard.at, null, epoch)));
    expect(created.filter(Boolean)).toHaveLength(1);
  });
});

describe("redo", () => {
  test("of the whole log gives the same state, to the byte", async () => {
    const shard = await busy(redis);
    const other = await twin(shard);
    expect(await redoAll(shard, other)).toEqual(shard.log.map(() => true));
    expect(await dump(redis, other.prefix)).toEqual(await dump(redis, shard.prefix));
    expect(await other.calls.readHeaders([other.at])).toMatchObject([
      { number: shard.number, durable: shard.number, durableOffset: 100 + shard.number },
    ]);
  });

  test("applies only what comes next, under the epoch named, on the chain", async () => {
    const shard = await ShardUnderTest.open(redis, {});
    await shard.issue("ann");
    await shard.issue("bob");
    const other = await twin(shard);
    const [rules, first, second] = shard.log as [string, string, string];
    const redo = (text: string, epoch = 1) => other.calls.redo(other.at, epoch, text, 9);
    expect(await redo(first)).toBe(false);
    expect(await redo(rules, 2)).toBe(false);
    expect(await redo(rules)).toBe(true);
    expect(await redo(rules)).toBe(false);
    expect(await redo(second)).toBe(false);
    expect(await redo(first.replace(/"prev":"[0-9a-f]/, '"prev":"x'))).toBe(false);
    expect(await redo(first)).toBe(true);
    expect(await redo(second)).toBe(true);
    expect(await dump(redis, other.prefix)).toEqual(await dump(redis, shard.prefix));
  });

  test("an outbox that lags behind the log is empty once the log is redone", async () => {
    const shard = await ShardUnderTest.open(redis, {});
    await shard.issue("ann");
    const ahead = await twin(shard);
    await redoAll(shard, ahead);
    Object.assign(ahead, { number: 2, hash: shard.hash, durable: 2 });
    await ahead.issue("bob");
    expect(await shard.calls.readOutbox(shard.at)).toHaveLength(2);
    expect(await shard.calls.redo(shard.at, 1, ahead.log[0] ?? "", 103)).toBe(true);
    expect(await shard.calls.readOutbox(shard.at)).toEqual([]);
    expect(await shard.calls.readHeaders([shard.at])).toMatchObject([{ number: 3, durable: 3, durableOffset: 103 }]);
  });

  test("leaves a cold record cold and changes its bits alone", async () => {
    const shard = await ShardUnderTest.open(redis, {});
    await shard.issue("ann");
    await shard.lock();
    const other = await twin(shard);
    await redoAll(shard, other);
    await other.cool();
    await shard.redeem();
    await shard.reverse({ recordVersion: await shard.version() });
    await shard.deactivate();
    const bits: number[] = [];
    for (const [index, text] of shard.log.slice(3).entries()) {
      expect(await other.calls.redo(other.at, 1, text, 200 + index)).toBe(true);
      bits.push(Number((await redis.bitfield_ro(`${other.prefix}{7.3}:s0`, "GET", "u2", "#0"))[0]));
    }
    expect(bits).toEqual([2, 1, 3]);
    expect(await other.calls.readRecords(other.at, [0])).toEqual([null]);
  });
});
