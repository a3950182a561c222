import { createHash } from "node:crypto";
import { eventually, uniqueName } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createOrderGuard, type OrderGuard, type OrderTie, type RedisConnection } from "../src/index.ts";
import { createKeys } from "../src/keys.ts";
import { connect } from "./support/shard.ts";

let redis: RedisConnection;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

const tie = (order: string, ...coupons: string[]): OrderTie => ({ order, coupons, keptMs: 60_000 });

async function* reading(...ties: OrderTie[]): AsyncGenerator<OrderTie[]> {
  yield ties;
}

async function guardOf(prefix: string, ...ties: OrderTie[]): Promise<OrderGuard> {
  const orders = createOrderGuard({ redis, prefix });
  expect(await orders.restore(() => reading(...ties))).toEqual({ kind: "complete", orders: ties.length });
  return orders;
}

/** Everything that Redis has under a prefix, to go back to. */
async function snapshot(prefix: string): Promise<Map<string, string | null>> {
  const keys = await redis.keys(`${prefix}{*`);
  return new Map(await Promise.all(keys.map(async (key) => [key, await redis.get(key)] as const)));
}

async function wipe(prefix: string): Promise<void> {
  for (const key of await redis.keys(`${prefix}{*`)) await redis.del(key);
}

/** Until when an order is tied; null where it is not. */
async function untilOf(prefix: string, order: string): Promise<number | null> {
  const hash = createHash("sha256").update(order).digest("base64url").slice(0, 22);
  const untilMs = await redis.pexpiretime(createKeys(prefix).order(hash));
  return untilMs < 0 ? null : untilMs;
}

describe("ties", () => {
  test("an order names its coupons once, until it is forgotten or runs out", async () => {
    const orders = await guardOf(uniqueName("t"));
    expect((await orders.claim("app/o1", ["A", "B"], 60_000)).outcome).toBe("first");
    expect((await orders.claim("app/o1", ["B", "A"], 60_000)).outcome).toBe("same");
    expect((await orders.claim("app/o1", ["A"], 60_000)).outcome).toBe("other");
    await orders.forget("app/o1", ["A"]);
    expect((await orders.claim("app/o1", ["A"], 60_000)).outcome).toBe("other");
    await orders.forget("app/o1", ["A", "B"]);
    expect((await orders.claim("app/o1", ["A"], 20)).outcome).toBe("first");
    await eventually(async () => (await orders.claim("app/o1", ["B"], 60_000)).outcome === "first");
  });

  test("the last of those who rely on a tie unties it by giving it back", async () => {
    const orders = await guardOf(uniqueName("t"));
    const first = await orders.claim("app/o1", ["A"], 60_000);
    const second = await orders.claim("app/o1", ["A"], 60_000);
    expect([first.outcome, second.outcome]).toEqual(["first", "same"]);
    await orders.giveBack("app/o1", ["A"], first.untilMs);
    expect((await orders.claim("app/o1", ["B"], 60_000)).outcome).toBe("other");
    await orders.giveBack("app/o1", ["A"], second.untilMs);
    expect((await orders.claim("app/o1", ["B"], 60_000)).outcome).toBe("first");
  });

  test("a claim given back leaves the tie as long as the others need it, in whatever order they come", async () => {
    const prefix = uniqueName("t");
    const orders = await guardOf(prefix);
    const keptMs = [60_000, 9_000_000, 600_000, 9_000_000, 7_000_000];
    const orderings = [[1, 3], [3, 4, 1], [0, 1, 2, 3], [4, 3, 2, 1, 0], [0], [2, 0]];
    for (const given of orderings) {
      const order = `app/${given.join("-")}`;
      const claims = [];
      for (const each of keptMs) claims.push(await orders.claim(order, ["A"], each));
      for (const index of given) await orders.giveBack(order, ["A"], claims[index]?.untilMs ?? 0);
      const left = claims.flatMap(({ untilMs }, index) => (given.includes(index) ? [] : [untilMs]));
      expect(await untilOf(prefix, order)).toBe(left.length === 0 ? null : Math.max(...left));
    }
  });

  test("of more claims than are told apart none is cut short, and the longest can still be given back", async () => {
    const prefix = uniqueName("t");
    const orders = await guardOf(prefix);
    const claims = [];
    for (let n = 0; n < 20; n += 1) claims.push(await orders.claim("app/o1", ["A"], 60_000 + 1_000 * n));
    const long = await orders.claim("app/o1", ["A"], 9_000_000);
    await orders.giveBack("app/o1", ["A"], long.untilMs);
    expect(await untilOf(prefix, "app/o1")).toBe(claims.at(-1)?.untilMs);
    // The others stand until they end, given back or not: it may be any of them that has come to something.
    const [kept, ...rest] = claims;
    for (const { untilMs } of rest.toReversed()) await orders.giveBack("app/o1", ["A"], untilMs);
    expect(await untilOf(prefix, "app/o1")).toBeGreaterThanOrEqual(kept?.untilMs ?? 0);
  });

  test("a refused claim of a longer time does not outlast the hold", async () => {
    const orders = await guardOf(uniqueName("t"));
    await orders.claim("app/o1", ["A"], 50);
    const { untilMs } = await orders.claim("app/o1", ["A"], 9_000_000);
    await orders.giveBack("app/o1", ["A"], untilMs);
    await eventually(async () => (await orders.claim("app/o1", ["B"], 60_000)).outcome === "first");
  });

  test("of many that name other coupons at once one is first", async () => {
    const orders = await guardOf(uniqueName("t"));
    const claims = await Promise.all(Array.from({ length: 20 }, (_, n) => orders.claim("app/o1", [`C${n}`], 60_000)));
    expect(claims.filter(({ outcome }) => outcome === "first")).toHaveLength(1);
    expect(claims.filter(({ outcome }) => outcome === "other")).toHaveLength(19);
  });
});

describe("ties that Redis may have lost", () => {
  test("nothing is tied before the ledger was asked about the order; then the first is", async () => {
    const prefix = uniqueName("t");
    const orders = await guardOf(prefix);
    expect((await orders.claim("app/o1", ["A"], 60_000)).outcome).toBe("first");
    await wipe(prefix);
    expect((await orders.claim("app/o1", ["B"], 60_000)).outcome).toBe("unsure");
    expect((await orders.claim("app/o1", ["A"], 60_000, true)).outcome).toBe("first");
    expect((await orders.claim("app/o1", ["B"], 60_000, true)).outcome).toBe("other");
  });

  test("restored, they stand as before", async () => {
    const prefix = uniqueName("t");
    const orders = await guardOf(prefix);
    const many = Array.from({ length: 500 }, (_, n) => tie(`app/o${n}`, `C${n}`));
    await wipe(prefix);
    expect(await orders.restore(() => reading(...many))).toEqual({ kind: "complete", orders: 500 });
    const others = await Promise.all(many.map(({ order }) => orders.claim(order, ["Z"], 60_000)));
    expect(new Set(others.map(({ outcome }) => outcome))).toEqual(new Set(["other"]));
    const same = await Promise.all(many.map(({ order, coupons }) => orders.claim(order, coupons, 60_000)));
    expect(new Set(same.map(({ outcome }) => outcome))).toEqual(new Set(["same"]));
    expect((await orders.claim("app/fresh", ["Z"], 60_000)).outcome).toBe("first");
  });

  test("a tie of the past stands for nothing, one made since the loss does", async () => {
    const prefix = uniqueName("t");
    const orders = await guardOf(prefix);
    await orders.claim("app/past", ["A"], 60_000);
    // As after a restart or on another server: what is there was written under another run id.
    for (const [key, value] of await snapshot(prefix)) {
      const runId = "0".repeat(40);
      await redis.set(
        key,
        key.endsWith(":m") ? runId : `${value?.split(" ").slice(0, 2).join(" ")} ${runId.slice(0, 12)}`,
      );
    }
    expect((await orders.claim("app/past", ["A"], 60_000)).outcome).toBe("unsure");
    expect((await orders.claim("app/since", ["S"], 60_000, true)).outcome).toBe("first");
    const ledger = [tie("app/past", "B"), tie("app/since", "older")];
    expect((await orders.restore(() => reading(...ledger))).kind).toBe("complete");
    expect((await orders.claim("app/past", ["A"], 60_000)).outcome).toBe("other");
    expect((await orders.claim("app/past", ["B"], 60_000)).outcome).toBe("same");
    expect((await orders.claim("app/since", ["S"], 60_000)).outcome).toBe("same");
  });

  test("lost again while they are restored: they stay unsure until they are restored whole", async () => {
    const prefix = uniqueName("t");
    const orders = createOrderGuard({ redis, prefix });
    const restored = await orders.restore(async function* () {
      yield [tie("app/o1", "A")];
      await wipe(prefix);
    });
    expect(restored.kind).toBe("busy");
    expect((await orders.claim("app/o1", ["B"], 60_000)).outcome).toBe("unsure");
    expect((await orders.restore(() => reading(tie("app/o1", "A")))).kind).toBe("complete");
    expect((await orders.claim("app/o1", ["B"], 60_000)).outcome).toBe("other");
  });

  test("lost, and taken over by another that restores them: the first does not say that it is done", async () => {
    const prefix = uniqueName("t");
    const orders = createOrderGuard({ redis, prefix });
    const other = createOrderGuard({ redis, prefix });
    const taken = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    let second: Promise<unknown> = Promise.resolve();
    const first = await orders.restore(async function* () {
      yield [tie("app/o1", "A")];
      await wipe(prefix);
      second = other.restore(async function* () {
        taken.resolve();
        await over.promise;
        yield [tie("app/o1", "A")];
      });
      await taken.promise;
    });
    expect(first.kind).toBe("busy");
    expect((await orders.claim("app/o1", ["B"], 60_000)).outcome).toBe("unsure");
    over.resolve();
    expect(await second).toEqual({ kind: "complete", orders: 1 });
    expect((await orders.claim("app/o1", ["B"], 60_000)).outcome).toBe("other");
  });

  test("of two that restore them at once the second leaves it to the first", async () => {
    const prefix = uniqueName("t");
    const orders = createOrderGuard({ redis, prefix });
    const other = createOrderGuard({ redis, prefix });
    let second: Promise<unknown> | undefined;
    const first = await orders.restore(async function* () {
      second = other.restore(() => reading());
      expect(await second).toEqual({ kind: "busy", orders: 0 });
      yield [];
    });
    expect(first.kind).toBe("complete");
    expect(second).toBeDefined();
    expect(await orders.restore(() => reading())).toEqual({ kind: "complete", orders: 0 });
  });
});
