import { createHash } from "node:crypto";
import { refusalCodes } from "@coupon/domain";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keyHashOf, type RedisConnection } from "../src/index.ts";
import { claimOf, connect, DAY_MS, hashKey, type rulesOf, ShardUnderTest } from "./support/shard.ts";

let redis: RedisConnection;
const open = (rules?: Parameters<typeof rulesOf>[0]): Promise<ShardUnderTest> => ShardUnderTest.open(redis, rules);
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());
const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex");

describe("what a claim gets", () => {
  test("serials are dense, and the entry says who got them", async () => {
    const shard = await open({});
    expect(await shard.claim([claimOf("ann"), claimOf("bob", "k2", { via: "g" })])).toEqual([
      { kind: "issued", serial: 0 },
      { kind: "issued", serial: 1 },
    ]);
    expect(shard.entries[1]).toEqual({
      v: 1,
      batch: 7,
      shard: 3,
      number: 2,
      at: shard.atMs,
      prev: expect.stringMatching(/^[0-9a-f]{40}$/),
      kind: "issue",
      day: 0,
      items: [
        [0, "ann", "app", keyHashOf(hashKey, "app", "c", "k"), "c"],
        [1, "bob", "app", keyHashOf(hashKey, "app", "g", "k2"), "g"],
      ],
    });
  });

  test("ids that need escapes stay themselves", async () => {
    const shard = await open({});
    const userId = 'é"\\\n\u0000😀';
    await shard.claim([claimOf(userId)]);
    expect(shard.entries[1]).toMatchObject({ items: [[0, userId, "app", expect.any(String), "c"]] });
  });

  test("the key gets its coupon again with its time of issue, whatever has become of everything", async () => {
    const shard = await open({ allotment: 2, perDay: 2 });
    await shard.issue("ann");
    const issuedAtSeconds = Math.floor(shard.atMs / 1_000);
    await shard.step(5_000);
    await shard.issue("bob");
    await shard.rules({ version: 2, state: "deactivated", revoked: true, allotment: 0, perUser: 0, untilMs: 0 });
    const again = claimOf("ann", "k", { permitted: false });
    expect(await shard.claim([again, again])).toEqual([
      { kind: "replayed", serial: 0, issuedAtSeconds },
      { kind: "replayed", serial: 0, issuedAtSeconds },
    ]);
    expect(shard.log).toHaveLength(4);
  });

  test("a key's scope is its caller, its operation and its user", async () => {
    const shard = await open({ perUser: 5 });
    await shard.issue("ann");
    const outcomes = await shard.claim([
      claimOf("ann"),
      claimOf("ann", "k", { callerId: "other" }),
      claimOf("ann", "k", { via: "g" }),
      claimOf("bob"),
    ]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(["replayed", "issued", "issued", "issued"]);
  });

  test("within one micro-batch the second sees the first", async () => {
    const shard = await open({ perUser: 2 });
    const outcomes = await shard.claim([
      claimOf("ann", "1"),
      claimOf("ann", "1"),
      claimOf("ann", "2"),
      claimOf("ann", "3"),
    ]);
    expect(outcomes).toEqual([
      { kind: "issued", serial: 0 },
      { kind: "replayed", serial: 0, issuedAtSeconds: Math.floor(shard.atMs / 1_000) },
      { kind: "issued", serial: 1 },
      { kind: "user_limit_reached", used: 2, max: 2 },
    ]);
  });

  test("serials that take a byte more are handed out, replayed and counted like the others", async () => {
    const shard = await open({ allotment: 20_000_000, perUser: 3, buckets: 1 });
    const first = 12_582_909;
    await shard.redis.hset(`${shard.prefix}{7.3}:h`, "s", first);
    const users = ["ann", "bob", "cat", "dan", "eve"];
    const serialOf = (user: number, round: number) => first + round * users.length + user;
    for (const [round, key] of ["k1", "k2", "k3"].entries()) {
      const issued = users.map((_, user) => ({ kind: "issued", serial: serialOf(user, round) }));
      expect(await shard.claim(users.map((user) => claimOf(user, key)))).toEqual(issued);
    }
    for (const [round, key] of ["k1", "k2", "k3"].entries()) {
      const replayed = users.map((_, user) => ({ kind: "replayed", serial: serialOf(user, round) }));
      expect(await shard.claim(users.map((user) => claimOf(user, key)))).toMatchObject(replayed);
    }
    expect(await shard.claim([claimOf("ann", "k4")])).toMatchObject([{ kind: "user_limit_reached", used: 3, max: 3 }]);
  });

  test("many times of issue are found again", async () => {
    const shard = await open({ allotment: 100, perUser: 100 });
    const seconds: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      await shard.step(i * 1_500);
      await shard.claim([claimOf("ann", `${i}a`), claimOf("ann", `${i}b`)]);
      seconds.push(Math.floor(shard.atMs / 1_000));
    }
    const outcomes = await shard.claim(seconds.map((_, i) => claimOf("ann", `${i}b`)));
    expect(outcomes).toEqual(
      seconds.map((issuedAtSeconds, i) => ({ kind: "replayed", serial: 2 * i + 1, issuedAtSeconds })),
    );
  });
});

describe("why a claim gets none", () => {
  test("no permission", async () => {
    const shard = await open({ state: "paused" });
    expect(await shard.claim([claimOf("ann", "k", { permitted: false })])).toEqual([{ kind: "not_permitted" }]);
  });

  test.each([
    ["draft", "batch_not_started"],
    ["in_review", "batch_not_started"],
    ["approved", "batch_not_started"],
    ["paused", "batch_paused"],
    ["ended", "batch_ended"],
    ["deactivated", "batch_deactivated"],
  ] as const)("a batch that is %s", async (state, kind) => {
    const shard = await open({ state, allotment: 0 });
    expect(await shard.claim([claimOf("ann")])).toEqual([{ kind }]);
  });

  test("no rules yet", async () => {
    const shard = await open();
    expect(await shard.claim([claimOf("ann")])).toEqual([{ kind: "batch_not_started" }]);
  });

  test("a window that has not begun, or is over from its end on", async () => {
    const soon = Date.now() + DAY_MS;
    const shard = await open({ fromMs: soon, untilMs: soon + 1_000 });
    expect(await shard.claim([claimOf("ann")])).toEqual([{ kind: "batch_not_started" }]);
    await shard.step(DAY_MS + 1_000);
    expect(await shard.claim([claimOf("ann")])).toEqual([{ kind: "batch_ended" }]);
  });

  test("the limits, foremost first", async () => {
    const shard = await open({ allotment: 3, perDay: 2, perUser: 2, perUserPerDay: 1 });
    const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    const days = [today, today + DAY_MS, today + 2 * DAY_MS];
    expect(await shard.claim([claimOf("ann", "1"), claimOf("ann", "2"), claimOf("bob"), claimOf("cid")], days)).toEqual(
      [
        { kind: "issued", serial: 0 },
        { kind: "user_daily_limit_reached", used: 1, max: 1 },
        { kind: "issued", serial: 1 },
        { kind: "daily_stock_exhausted", used: 2, max: 2 },
      ],
    );
    await shard.step(DAY_MS);
    expect(await shard.claim([claimOf("ann", "2"), claimOf("ann", "3"), claimOf("bob", "2")], days)).toEqual([
      { kind: "issued", serial: 2 },
      { kind: "user_limit_reached", used: 2, max: 2 },
      { kind: "stock_exhausted", used: 3, max: 3 },
    ]);
    expect(shard.entries.slice(1)).toMatchObject([{ day: today }, { day: today + DAY_MS }]);
  });

  test("of several reasons the first of the catalogue, in a batch of one claim as beside others", async () => {
    const none = { allotment: 1, perDay: 1, perUser: 1, perUserPerDay: 1 };
    const shard = await open(none);
    await shard.issue("ann");
    const found: string[] = [];
    let version = 1;
    for (const change of [
      { ...none, state: "deactivated" as const },
      none,
      { ...none, perUser: 2 },
      { ...none, perUser: 2, perUserPerDay: 2 },
      { ...none, perUser: 2, perUserPerDay: 2, perDay: 2 },
    ]) {
      version += 1;
      await shard.rules({ version, ...change });
      const [alone] = await shard.claim([claimOf("ann", "2")]);
      expect(await shard.claim([claimOf("ann", "2"), claimOf("ann", "3")])).toEqual([alone, alone]);
      found.push(alone?.kind ?? "");
    }
    expect(found).toHaveLength(new Set(found).size);
    expect(found).toEqual(refusalCodes.filter((code) => found.includes(code)));
  });

  test("no stock, also where the rules took more back than was left", async () => {
    const shard = await open({ allotment: 2 });
    await shard.issue("ann", "bob");
    expect(await shard.claim([claimOf("cid")])).toEqual([{ kind: "stock_exhausted", used: 2, max: 2 }]);
    expect(await shard.rules({ version: 2, allotment: 1 })).toEqual([{ shortBy: 1 }]);
    expect(await shard.claim([claimOf("cid")])).toEqual([{ kind: "stock_exhausted", used: 2, max: 1 }]);
    expect(await shard.rules({ version: 3, allotment: 3 })).toEqual([{ shortBy: 0 }]);
    await shard.issue("cid");
    expect(await shard.claim([claimOf("dan")])).toEqual([{ kind: "stock_exhausted", used: 3, max: 3 }]);
  });

  test("limits of zero", async () => {
    const none = await open({ perUser: 0 });
    expect(await none.claim([claimOf("ann")])).toEqual([{ kind: "user_limit_reached", used: 0, max: 0 }]);
    const notToday = await open({ perUserPerDay: 0 });
    expect(await notToday.claim([claimOf("ann")])).toEqual([{ kind: "user_daily_limit_reached", used: 0, max: 0 }]);
  });
});

describe("the frame", () => {
  test("another epoch or entry changes nothing and says what is there", async () => {
    const shard = await open({});
    const before = await shard.calls.readHeaders([shard.at]);
    for (const change of [{ epoch: 2 }, { hash: "" }, { hash: "0".repeat(40) }]) {
      const expectation = { ...shard.expect, ...change };
      expect(await shard.calls.claim(shard.at, expectation, [], [claimOf("ann")])).toEqual({
        kind: "mismatch",
        found: { epoch: 1, number: 1 },
      });
    }
    expect(await shard.calls.readHeaders([shard.at])).toEqual(before);
    const absent = { batch: 7, shard: 9 };
    expect(await shard.calls.claim(absent, shard.expect, [], [claimOf("ann")])).toEqual({
      kind: "mismatch",
      found: null,
    });
  });

  test("a call sent twice counts once", async () => {
    const shard = await open({ perUser: 9 });
    const { expect: expectation } = shard;
    await shard.issue("ann");
    const again = await shard.calls.claim(shard.at, expectation, [], [claimOf("ann")]);
    expect(again).toMatchObject({ kind: "mismatch", found: { number: 2 } });
  });

  test("a call that two servers took leaves entries of one number, and nothing goes on from the other's", async () => {
    const shard = await open({ perUser: 9 });
    const other = new ShardUnderTest(redis);
    await other.calls.open(other.at, null, shard.epoch);
    await other.calls.redo(other.at, other.epoch, shard.log[0] ?? "", 0);
    await other.step(5_000);
    const once = shard.expect;
    await shard.issue("ann");
    const twice = await other.calls.claim(other.at, once, [], [claimOf("ann")]);
    expect(twice).toMatchObject({ kind: "applied", number: shard.number });
    const next = await other.calls.claim(other.at, shard.expect, [], [claimOf("bob")]);
    expect(next).toEqual({ kind: "mismatch", found: { epoch: 1, number: shard.number } });
    expect((await shard.claim([claimOf("bob")]))[0]?.kind).toBe("issued");
  });

  test("of two owners with one expectation one is applied", async () => {
    const shard = await open({ allotment: 1_000, perUser: 50 });
    const rounds = await Promise.all(
      Array.from({ length: 20 }, (_, n) => shard.calls.claim(shard.at, shard.expect, [], [claimOf("ann", `${n}`)])),
    );
    expect(rounds.filter(({ kind }) => kind === "applied")).toHaveLength(1);
    expect(await shard.calls.readOutbox(shard.at)).toHaveLength(2);
  });

  test("the outbox keeps what is not known to be durable, chained by hashes", async () => {
    const shard = await open({});
    await shard.issue("ann");
    await shard.issue("bob");
    expect(await shard.calls.readOutbox(shard.at)).toEqual(shard.log);
    shard.durable = 2;
    await shard.claim([claimOf("ann")]);
    expect(await shard.calls.readOutbox(shard.at)).toEqual(shard.log.slice(2));
    expect(await shard.calls.readHeaders([shard.at])).toMatchObject([{ number: 3, durable: 2, durableOffset: 102 }]);
    shard.durable = 1;
    await shard.issue("cid");
    expect(await shard.calls.readOutbox(shard.at)).toEqual(shard.log.slice(2));
    expect(shard.entries.map(({ prev }) => prev)).toEqual(["", ...shard.log.slice(0, -1).map(sha1)]);
    const [header] = await shard.calls.readHeaders([shard.at]);
    expect(header?.hash).toBe(sha1(shard.log.at(-1) ?? ""));
  });

  test("durable beyond the last entry is an error, and changes nothing", async () => {
    const shard = await open({});
    shard.durable = 2;
    await expect(shard.issue("ann")).rejects.toThrow("durable is beyond");
    expect(await shard.calls.readHeaders([shard.at])).toMatchObject([{ number: 1, nextSerial: 0 }]);
  });

  test("time never goes back in a shard", async () => {
    const shard = await open({});
    await shard.step(60_000);
    await shard.issue("ann");
    const { atMs } = shard;
    await shard.step(0);
    await shard.issue("bob");
    expect(shard.atMs).toBe(atMs);
  });

  test("a process that remembers another number of buckets learns the true one", async () => {
    const shard = await open({ buckets: 5 });
    const other = new ShardUnderTest(redis, shard.prefix);
    await other.calls.readHeaders([other.at]);
    await shard.calls.drop(shard.at);
    const anew = new ShardUnderTest(redis, shard.prefix);
    await anew.calls.open(anew.at, null, 1);
    await anew.rules({ buckets: 3 });
    await anew.issue("ann");
    Object.assign(other, { number: anew.number, hash: anew.hash });
    expect(await other.claim([claimOf("ann")])).toMatchObject([{ kind: "replayed", serial: 0 }]);
  });

  test("a call beyond the greatest batch is refused before it is sent", async () => {
    const shard = await open({});
    await expect(shard.claim(Array.from({ length: 1_001 }, (_, n) => claimOf(`u${n}`)))).rejects.toThrow(RangeError);
  });
});
