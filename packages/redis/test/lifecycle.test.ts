import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ImageCoupons, RedisConnection, ShardImage } from "../src/index.ts";
import { createKeys } from "../src/keys.ts";
import { loadShard } from "../src/load.ts";
import { loadScript, runScript } from "../src/testing.ts";
import { dump } from "./support/dump.ts";
import { type ImageCoupon, toChunk } from "./support/image.ts";
import { claimOf, connect, DAY_MS, hashKey, orderOf, rulesOf, ShardUnderTest } from "./support/shard.ts";

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

async function* inChunks(coupons: ImageCoupon[], size: number): AsyncGenerator<ImageCoupons> {
  for (let from = 0; from < coupons.length; from += size) yield toChunk(coupons.slice(from, from + size));
}

/** A shard with some of everything. */
async function busy(): Promise<ShardUnderTest> {
  const shard = await ShardUnderTest.open(redis, { perUser: 3, perDay: 50, buckets: 3 });
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const days = [today, today + DAY_MS];
  await shard.claim(
    ["ann", "bob", "cid", "ann"].map((user, n) => claimOf(user, `k${n}`)),
    days,
  );
  await shard.step(DAY_MS);
  await shard.claim([claimOf("ann", "n1"), claimOf("dan", "n2", { via: "g" })], days);
  await shard.lock();
  await shard.redeem();
  await shard.redeem({ serial: 1, userId: "bob", orderId: "o2", order: orderOf() });
  await shard.reverse({ recordVersion: await shard.version() });
  await shard.lock({ serial: 2, userId: "cid", orderId: "o3" });
  await shard.release({ serial: 2, userId: "cid", orderId: "o3" });
  await shard.release({ serial: 4, orderId: "o4" });
  await shard.deactivate(3);
  await shard.rules({ version: 2, allotment: 90, perUser: 2, buckets: 9 });
  await shard.did(shard.calls.debit(shard.at, shard.expect, { target: 1, amount: 5, credited: 0 }));
  await shard.did(shard.calls.credit(shard.at, shard.expect, 2, 7, 1));
  return shard;
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
    const shard = await busy();
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

describe("drop and load", () => {
  /** What a ledger that has read the log knows of the shard. */
  function image(shard: ShardUnderTest): { image: ShardImage; coupons: ImageCoupon[] } {
    const coupons: ImageCoupon[] = [];
    const touched = new Map<number, ImageCoupon["touched"]>();
    for (const entry of shard.entries) {
      if (entry.kind === "issue") {
        const issuedAtSeconds = Math.floor(entry.at / 1_000);
        for (const [serial, userId, , keyHash] of entry.items)
          coupons.push({ serial, userId, keyHash, issuedAtSeconds, touched: "no" });
      }
      if (entry.kind === "lock" || entry.kind === "release")
        for (const { serial } of entry.items) touched.set(serial, "on_record");
      if (entry.kind === "redeem") for (const { serial } of entry.items) touched.set(serial, "redeemed");
      if (entry.kind === "reverse") for (const { serial } of entry.items) touched.set(serial, "on_record");
      if (entry.kind === "deactivate") for (const { serial } of entry.items) touched.set(serial, "deactivated");
    }
    for (const coupon of coupons) coupon.touched = touched.get(coupon.serial) ?? "no";
    const { at: atMs } = shard.entries.at(-1) ?? { at: 0 };
    const issues = shard.entries.filter((entry) => entry.kind === "issue");
    const day = issues.at(-1)?.day ?? 0;
    const dayIssued = issues.filter((entry) => entry.day === day).reduce((sum, { items }) => sum + items.length, 0);
    return {
      coupons,
      image: {
        number: shard.number,
        hash: "",
        atMs,
        nextSerial: coupons.length,
        left: 0,
        dayStartMs: day,
        dayIssued,
        rules: rulesOf(),
        debits: [{ target: 1, transfer: 1, amount: 5 }],
        credits: [{ source: 2, transfer: 1 }],
      },
    };
  }

  test("a load from the ledger's image gives the same state but for records, which are cold", async () => {
    const shard = await busy();
    const [header] = await shard.calls.readHeaders([shard.at]);
    if (!header?.rules) throw new Error("no header");
    const loaded = new ShardUnderTest(redis);
    const { image: base, coupons } = image(shard);
    const whole = { ...base, hash: header.hash, left: header.left, rules: header.rules };
    await loaded.calls.load(loaded.at, whole, inChunks(coupons, 4), 3);
    const before = await dump(redis, shard.prefix);
    for (const key of Object.keys(before)) if (key.includes(":c")) delete before[key];
    expect(await dump(redis, loaded.prefix)).toEqual(before);
    expect(await loaded.calls.readHeaders([loaded.at])).toEqual([
      { ...header, epoch: 3, durable: shard.number, durableOffset: -1 },
    ]);
    Object.assign(loaded, { epoch: 3, number: shard.number, hash: shard.hash, durable: shard.number });
    await loaded.step(2 * DAY_MS);
    expect(await loaded.claim([claimOf("ann", "k0"), claimOf("eve", "k9")])).toEqual([
      { kind: "replayed", serial: 0, issuedAtSeconds: coupons[0]?.issuedAtSeconds },
      { kind: "issued", serial: 6 },
    ]);
    expect(await loaded.redeem()).toEqual([{ kind: "cold" }]);
  });

  test("thousands of coupons over several pages and chunks are all there", async () => {
    const shard = new ShardUnderTest(redis);
    const coupons = Array.from({ length: 9_000 }, (_, serial): ImageCoupon => {
      const touched = serial % 1_000 === 999 ? "redeemed" : "no";
      return {
        serial,
        userId: `u${serial}`,
        keyHash: "00000000000000aa",
        issuedAtSeconds: 1_000 + (serial >> 4),
        touched,
      };
    });
    const rules = rulesOf({ allotment: 9_000, buckets: 71 });
    const whole = { ...image(shard).image, number: 3, nextSerial: 9_000, rules };
    await shard.calls.load(shard.at, whole, inChunks(coupons, 2_500), 1);
    Object.assign(shard, { number: 3, hash: whole.hash, durable: 3 });
    const twice = await shard.claim([claimOf("u0", "new"), claimOf("u8999", "new")]);
    expect(twice).toMatchObject([{ kind: "user_limit_reached" }, { kind: "user_limit_reached" }]);
    const records = await shard.calls.readRecords(shard.at, [998, 999, 4_999, 5_000, 8_999]);
    expect(records.map((one) => one === null)).toEqual([false, true, true, false, true]);
    await shard.calls.drop(shard.at);
    expect(await redis.keys(`${shard.prefix}{*`)).toEqual([]);
  });

  test("a load in many runs gives the same as one in a single run, users with several coupons included", async () => {
    const coupons = Array.from(
      { length: 3_000 },
      (_, serial): ImageCoupon => ({
        serial,
        userId: `u${(serial * 7_919) % 2_100}`,
        keyHash: serial.toString(16).padStart(16, "0"),
        issuedAtSeconds: 1_000 + (serial >> 6),
        touched: serial % 500 === 77 ? "deactivated" : "no",
      }),
    );
    const rules = rulesOf({ allotment: 3_000, buckets: 5 });
    const [one, many] = [new ShardUnderTest(redis), new ShardUnderTest(redis)];
    const whole = { ...image(one).image, nextSerial: 3_000, rules };
    await one.calls.load(one.at, whole, inChunks(coupons, 3_000), 1);
    const resources = { redis, keys: createKeys(many.prefix), hashKey };
    await loadShard(resources, many.at, whole, inChunks(coupons, 700), 1, { runCoupons: 256 });
    const loaded = await dump(redis, one.prefix);
    expect(await dump(redis, many.prefix)).toEqual(loaded);
    const users = await Promise.all([0, 1, 2, 3, 4].map((bucket) => redis.hlen(`${one.prefix}{7.3}:u${bucket}`)));
    expect(users.reduce((sum, count) => sum + count, 0)).toBe(2_100);
  });

  test("a drop leaves no key, and a second one finds nothing", async () => {
    const shard = await busy();
    await shard.calls.drop(shard.at);
    expect(await redis.keys(`${shard.prefix}{*`)).toEqual([]);
    await shard.calls.drop(shard.at);
    expect(await redis.keys(`${shard.prefix}{*`)).toEqual([]);
  });

  test("a load that breaks off leaves no valid shard, and the next one starts clean", async () => {
    const shard = await busy();
    const { image: whole, coupons } = image(shard);
    const breaking = async function* () {
      yield toChunk(coupons.slice(0, 3));
      throw new Error("the ledger is gone");
    };
    await expect(shard.calls.load(shard.at, whole, breaking(), 2)).rejects.toThrow("the ledger is gone");
    expect(await shard.calls.readHeaders([shard.at])).toEqual([null]);
    expect(await shard.calls.open(shard.at, null, 3)).toBe(false);
    expect(await shard.calls.claim(shard.at, shard.expect, [], [claimOf("zoe")])).toEqual({
      kind: "mismatch",
      found: null,
    });
    await expect(shard.calls.load(shard.at, whole, inChunks(coupons.slice(0, 4), 4), 2)).rejects.toThrow();
    await shard.calls.load(shard.at, whole, inChunks(coupons, 2), 2);
    const other = new ShardUnderTest(redis);
    await other.calls.load(other.at, whole, inChunks(coupons, 6), 2);
    expect(await dump(redis, shard.prefix)).toEqual(await dump(redis, other.prefix));
  });

  test("of two loads at once the later one alone can finish", async () => {
    const shard = await busy();
    const { image: whole, coupons } = image(shard);
    const rival = new ShardUnderTest(redis, shard.prefix);
    const overtaken = async function* () {
      yield toChunk(coupons.slice(0, 3));
      await rival.calls.load(rival.at, whole, inChunks(coupons, 6), 9);
      yield toChunk(coupons.slice(3));
    };
    await expect(shard.calls.load(shard.at, whole, overtaken(), 2)).rejects.toThrow("by somebody else");
    expect(await shard.calls.readHeaders([shard.at])).toMatchObject([{ epoch: 9, nextSerial: 6 }]);
  });

  test("a step of an overtaken load, or one sent twice, does nothing", async () => {
    const shard = await ShardUnderTest.open(redis, {});
    const stem = `${shard.prefix}{7.3}:`;
    const run = (name: string, keys: string[], ...args: (string | number | Buffer)[]) =>
      runScript(
        redis,
        loadScript(name),
        keys.map((key) => stem + key),
        args,
      );
    const slot = Buffer.alloc(2 + 17, "0");
    slot.set([1, 0]);
    const slots = (token: string, step = 0) => run("load-slots", ["h", "u0"], token, step, 11, slot);
    const marks = (token: string, step = 1) => run("load-marks", ["h", "t", "s0"], token, step, "12345678", "0");
    const begin = async (token: string) => {
      await run("load-begin", ["h"], token);
      expect(await run("load-image", ["h"], token, 1, "1 issuing 0 0 9 9 - 1 - 1")).toBe(1);
    };
    await begin("late");
    await begin("rival");
    expect(await slots("late")).toBe(0);
    expect(await run("load-image", ["h"], "late", 1, "")).toBe(0);
    expect(await run("load-finish", ["h"], "late", 0, "e", 1)).toBe(0);
    expect(await marks("rival")).toBe(0);
    expect(await slots("rival")).toBe(1);
    expect(await slots("rival")).toBe(0);
    expect(await run("load-finish", ["h"], "rival", 2, "e", 1)).toBe(0);
    expect(await marks("rival")).toBe(1);
    expect(await marks("rival")).toBe(0);
    expect(await run("load-finish", ["h"], "late", 2, "e", 1)).toBe(0);
    expect(await run("load-erase", ["h", "u0"], "late")).toBe(0);
    expect(await redis.get(`${stem}t`)).toBe("12345678");
    expect(await redis.hlen(`${stem}u0`)).toBe(1);
    expect((await redis.hvals(`${stem}u0`))[0]).toHaveLength(11);
  });

  test("coupons out of order are refused", async () => {
    const shard = await busy();
    const { image: whole, coupons } = image(shard);
    const wrong = [...coupons.slice(3), ...coupons.slice(0, 3)];
    await expect(shard.calls.load(shard.at, whole, inChunks(wrong, 3), 2)).rejects.toThrow("out of order");
    expect(await shard.calls.readHeaders([shard.at])).toEqual([null]);
  });
});
