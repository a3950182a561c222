import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectRedis, type RedisConnection } from "../src/index.ts";
import { createKeys } from "../src/keys.ts";
import { loadShard } from "../src/load.ts";
import { loadScript, runScript } from "../src/testing.ts";
import { busy } from "./support/busy.ts";
import { dump } from "./support/dump.ts";
import { type ImageCoupon, imageOf, inChunks, toChunk } from "./support/image.ts";
import { claimOf, connect, DAY_MS, hashKey, rulesOf, ShardUnderTest } from "./support/shard.ts";

let redis: RedisConnection;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

/** The user buckets of a shard: how Redis keeps them, what they hold, and what DUMP gives of those in one piece. */
async function encoded({ prefix }: ShardUnderTest) {
  const contents = Object.entries(await dump(redis, prefix)).filter(([key]) => key.includes(":u"));
  const keys = contents.map(([key]) => prefix + key);
  const encodings = await Promise.all(keys.map((key) => redis.object("ENCODING", key)));
  const payloads = await Promise.all(
    keys.filter((_, i) => encodings[i] === "listpack").map((key) => redis.dumpBuffer(key)),
  );
  return { contents, encodings, payloads };
}

describe("drop and load", () => {
  test("a load from the ledger's image gives the same state but for records, which are cold", async () => {
    const shard = await busy(redis);
    const [header] = await shard.calls.readHeaders([shard.at]);
    if (!header?.rules) throw new Error("no header");
    const loaded = new ShardUnderTest(redis);
    const { image: base, coupons } = imageOf(shard);
    const whole = { ...base, hash: header.hash, left: header.left, rules: header.rules };
    await loaded.calls.load(loaded.at, whole, inChunks(coupons, 4), 3);
    const before = await dump(redis, shard.prefix);
    for (const key of Object.keys(before)) if (key.includes(":c")) delete before[key];
    expect(await dump(redis, loaded.prefix)).toEqual(before);
    expect(await encoded(loaded)).toEqual(await encoded(shard));
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

  test("a shard of which a part is gone answers nobody, also where its load was broken off right then", async () => {
    const shard = await busy(redis);
    const page = createKeys(shard.prefix).page(shard.at, 0);
    await redis.del(page);
    // What leads to its records can't be read: users' slots are gone by then, and nothing is loaded yet.
    await redis.rpush(page, "no page");
    await expect(shard.calls.drop(shard.at)).rejects.toThrow("WRONGTYPE");
    const result = await shard.calls.claim(shard.at, shard.expect, [], [claimOf("ann", "k9")]);
    expect(result.kind).toBe("mismatch");
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
    const whole = { ...imageOf(shard).image, number: 3, nextSerial: 9_000, rules };
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
    const whole = { ...imageOf(one).image, nextSerial: 3_000, rules };
    await one.calls.load(one.at, whole, inChunks(coupons, 3_000), 1);
    const resources = { redis, keys: createKeys(many.prefix), hashKey };
    await loadShard(resources, many.at, whole, inChunks(coupons, 700), 1, { runCoupons: 256 });
    const loaded = await dump(redis, one.prefix);
    expect(await dump(redis, many.prefix)).toEqual(loaded);
    const users = await Promise.all([0, 1, 2, 3, 4].map((bucket) => redis.hlen(`${one.prefix}{7.3}:u${bucket}`)));
    expect(users.reduce((sum, count) => sum + count, 0)).toBe(2_100);
  });

  test.each([
    [1, "of ready-made buckets alone"],
    [0.4, "that adds to ready-made buckets"],
  ])("a load gives what live scripts made, buckets beyond a listpack included (%f: %s)", async (part) => {
    const live = await ShardUnderTest.open(redis, { perUser: 120, buckets: 4, allotment: 9_000 });
    const users = Array.from({ length: 3_000 }, (_, i) => `user-${(i * 7_919) % 2_060}`);
    for (let n = 0; n < 100; n += 1) users.splice(n * 20, 0, "often");
    for (let from = 0; from < users.length; from += 500) {
      await live.claim(users.slice(from, from + 500).map((user, i) => claimOf(user, `k${from + i}`)));
    }
    const { image: base, coupons } = imageOf(live);
    const [header] = await live.calls.readHeaders([live.at]);
    const whole = { ...base, hash: live.hash, left: header?.left ?? 0, rules: header?.rules ?? base.rules };
    const loaded = new ShardUnderTest(redis);
    const resources = { redis, keys: createKeys(loaded.prefix), hashKey };
    const runCoupons = Math.ceil(coupons.length * part);
    await loadShard(resources, loaded.at, whole, inChunks(coupons, 700), 1, { runCoupons });
    const [before, after] = [await encoded(live), await encoded(loaded)];
    expect(new Set(before.encodings)).toEqual(new Set(["listpack", "hashtable"]));
    expect(after.encodings).toEqual(before.encodings);
    expect(after.contents).toEqual(before.contents);
    if (part === 1) expect(after.payloads).toEqual(before.payloads);
  });

  test("a server that does not permit RESTORE is named, and no shard is made", async () => {
    const shard = await busy(redis);
    const { image: whole, coupons } = imageOf(shard);
    const [user, password] = [shard.prefix.replace(/\W/g, ""), "hush"];
    await redis.acl("SETUSER", user, "on", `>${password}`, "~*", "+@all", "-restore");
    const url = Object.assign(new URL(process.env.REDIS_URL ?? ""), { username: user, password });
    const limited = await connectRedis({ url: url.href, cluster: false });
    try {
      const resources = { redis: limited, keys: createKeys(shard.prefix), hashKey };
      await expect(loadShard(resources, shard.at, whole, inChunks(coupons, 6), 2)).rejects.toThrow("permitted RESTORE");
    } finally {
      await limited.close();
      await redis.acl("DELUSER", user);
    }
    expect(await shard.calls.readHeaders([shard.at])).toEqual([null]);
  });

  test("a drop leaves no key, and a second one finds nothing", async () => {
    const shard = await busy(redis);
    await shard.calls.drop(shard.at);
    expect(await redis.keys(`${shard.prefix}{*`)).toEqual([]);
    await shard.calls.drop(shard.at);
    expect(await redis.keys(`${shard.prefix}{*`)).toEqual([]);
  });

  test("a load that breaks off leaves no valid shard, and the next one starts clean", async () => {
    const shard = await busy(redis);
    const { image: whole, coupons } = imageOf(shard);
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
    const shard = await busy(redis);
    const { image: whole, coupons } = imageOf(shard);
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
    const buckets = (token: string, step = 0) => run("load-buckets", ["h", "u0"], token, step, "no payload");
    const marks = (token: string, step = 1) => run("load-marks", ["h", "t", "s0"], token, step, "12345678", "0");
    const begin = async (token: string) => {
      await run("load-begin", ["h"], token);
      expect(await run("load-image", ["h"], token, 1, "1 issuing 0 0 9 9 - 1 - 1")).toBe(1);
    };
    await begin("late");
    await begin("rival");
    expect(await slots("late")).toBe(0);
    expect(await buckets("late")).toBe(0);
    expect(await buckets("rival", 1)).toBe(0);
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
    const shard = await busy(redis);
    const { image: whole, coupons } = imageOf(shard);
    const wrong = [...coupons.slice(3), ...coupons.slice(0, 3)];
    await expect(shard.calls.load(shard.at, whole, inChunks(wrong, 3), 2)).rejects.toThrow("out of order");
    expect(await shard.calls.readHeaders([shard.at])).toEqual([null]);
  });
});
