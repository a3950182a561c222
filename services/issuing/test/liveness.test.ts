import { LogUnavailable, type RulesApplied } from "@coupon/events";
import { eventually } from "@coupon/testkit";
import { afterEach, describe, expect, test } from "vitest";
import type { Answer } from "../src/owner/operation.ts";
import type { Owner } from "../src/owner/owner.ts";
import { appenderWith, countOf, crowdAt, publishForOwner, startOwner, watch } from "./support/start-owner.ts";

/** Whatever hangs, an owner answers in time, goes on with what does not hang, and ends when it is told to. */
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** The deadline of `startOwner`, and something for the sweep and a busy machine. */
const ANSWERED_WITHIN_MS = 1_500 + 1_500;

/** Issues so many of shard 0, and gives what claims more. */
async function issue(owner: Owner, batch: number, count: number): Promise<(count: number) => Promise<Answer[]>> {
  const claims = crowdAt(owner, batch, 0);
  // As soon as the shard is there.
  await eventually(async () => countOf(await claims(1), "issued") === 1);
  if (count > 1) expect(countOf(await claims(count - 1), "issued")).toBe(count - 1);
  return claims;
}

function lock(owner: Owner, batch: number, serial: number, userId: string, orderId: string): Promise<Answer> {
  const verdict = {
    kind: "discount" as const,
    discount: { discount: 1_000, currency: "CNY", lines: [{ lineId: "1", quantity: 1, discount: 1_000 }] },
  };
  const coupon = { serial, userId, callerId: "shop", orderId, permitted: true };
  const validity = { validFromMs: 0, validUntilMs: Date.now() + 86_400_000 };
  const request = { ...coupon, ...validity, payload: "p", holdMs: 600_000, verdict };
  return owner.submit({ op: "lock", batch, shard: 0, request });
}

function release(owner: Owner, batch: number, serial: number, userId: string, orderId: string): Promise<Answer> {
  const coupon = { serial, userId, callerId: "shop", orderId, permitted: true };
  const request = { ...coupon, validFromMs: 0, validUntilMs: Date.now() + 86_400_000 };
  return owner.submit({ op: "release", batch, shard: 0, request });
}

const within = async <T>(work: Promise<T>): Promise<T | "nothing"> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"nothing">((resolve) => {
    timer = setTimeout(() => resolve("nothing"), ANSWERED_WITHIN_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};

describe("a coupon whose record is cold", () => {
  /** What an opening or a cold record reads may be changed in `recovery` at any time. */
  async function coldCoupon() {
    const { batch, batches, parts, prefix } = await publishForOwner(closers, 1, 10);
    const recovery = { ...parts.recovery };
    const watched = watch();
    const owner = startOwner({ ...parts, recovery }, parts.appender, batches, watched);
    closers.push(() => owner.close());
    await issue(owner, batch, 1);
    expect(await lock(owner, batch, 0, "u1", "o1")).toMatchObject({ kind: "done", outcome: { kind: "locked" } });
    await parts.redis.del(`${prefix}{${batch}.0}:c0`);
    return { owner, batch, parts, prefix, watched, recovery };
  }

  test("is answered in time while PostgreSQL says nothing", async () => {
    const { owner, batch, recovery } = await coldCoupon();
    const silence = Promise.withResolvers<null>();
    recovery.records = () => silence.promise;
    expect(await within(lock(owner, batch, 0, "u1", "o2"))).toEqual({ kind: "ledger_behind" });
    expect(owner.pending).toBe(0);
    silence.resolve(null);
  });

  test("is answered in time while its partition is opened again and that takes long", async () => {
    const { owner, batch, parts, prefix, watched, recovery } = await coldCoupon();
    const asked = Promise.withResolvers<void>();
    const reopened = Promise.withResolvers<void>();
    const silence = Promise.withResolvers<void>();
    closers.push(async () => silence.resolve());
    recovery.records = async (_at, [serial = 0]) => {
      asked.resolve();
      await reopened.promise;
      return [{ serial, record: { userId: "u1", state: "effective", redemptions: [], released: [] } }];
    };
    const answer = within(lock(owner, batch, 0, "u1", "o2"));
    await asked.promise;
    recovery.logBase = async (...given) => {
      await silence.promise;
      return parts.recovery.logBase(...given);
    };
    await parts.redis.hset(`${prefix}{${batch}.0}:h`, "e", "-7");
    void crowdAt(owner, batch, 0)(1);
    await eventually(() => watched.reopened > 0);
    reopened.resolve();
    // The ledger has done its part: it is the shard that is waited for.
    expect(await answer).toEqual({ kind: "recovering" });
  });

  test("is told that its shard recovers where Redis goes away before it has the record back", async () => {
    const { owner, batch, parts, recovery } = await coldCoupon();
    recovery.records = async (_at, [serial = 0]) => {
      parts.redis.disconnect();
      return [{ serial, record: { userId: "u1", state: "effective", redemptions: [], released: [] } }];
    };
    expect(await within(lock(owner, batch, 0, "u1", "o2"))).toEqual({ kind: "recovering" });
    expect(owner.pending).toBe(0);
  });
});

test("a partition is opened again also while a script call hangs, and its owner ends when it is told to", async () => {
  const { batch, batches, parts } = await publishForOwner(closers, 1, 10);
  let fails: (() => void) | undefined;
  const append: typeof parts.appender.append = async (...given) => {
    if (fails === undefined || watched.reopened > 0) return parts.appender.append(...given);
    return new Promise((_, reject) => {
      fails = () => reject(new LogUnavailable("silent"));
    });
  };
  const hanging = Promise.withResolvers<void>();
  const claim = parts.calls.claim.bind(parts.calls);
  let hangs = false;
  const asked = Promise.withResolvers<void>();
  parts.calls.claim = async (...given) => {
    if (hangs) {
      asked.resolve();
      await hanging.promise;
    }
    return claim(...given);
  };
  const watched = watch();
  const owner = startOwner(parts, appenderWith(parts, { append }), batches, watched);
  const claims = await issue(owner, batch, 1);
  const decided = watched.decided;
  fails = () => undefined;
  const first = claims(1);
  await eventually(() => watched.decided > decided);
  hangs = true;
  const second = claims(1);
  await asked.promise;
  hangs = false;
  fails();
  expect(await first).toMatchObject([{ kind: "done", outcome: { serial: 1 } }]);
  expect(watched.reopened).toBe(1);
  await owner.close();
  hanging.resolve();
  expect(await second).toEqual([{ kind: "not_owner", attempted: true }]);
});

test("a decrease that leaves a shard short is confirmed also while that shard is written to all the time", async () => {
  const total = 20;
  const { definition, batch, batches, parts } = await publishForOwner(closers, 2, total);
  const confirmed: RulesApplied[] = [];
  const slow = appenderWith(parts, {
    append: async (...given) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return parts.appender.append(...given);
    },
    publish: async (_topic, messages) => {
      confirmed.push(...messages);
    },
  });
  const owner = startOwner({ ...parts, appender: slow }, slow, batches, watch());
  closers.push(() => owner.close());
  await issue(owner, batch, 9);
  let writing = true;
  const others = Promise.withResolvers<void>();
  const write = async (serial: number): Promise<void> => {
    // Half of them lock while the others release, so that there is an entry on its way whenever one becomes durable.
    if (serial % 2 === 1) await others.promise;
    for (let n = 0; writing; n += 1) {
      const order = `o${serial}-${n}`;
      await lock(owner, batch, serial, `u${serial + 1}`, order);
      others.resolve();
      await release(owner, batch, serial, `u${serial + 1}`, order);
    }
  };
  const writers = [0, 1, 2, 3, 4, 5, 6, 7].map(write);
  await eventually(async () => ((await parts.calls.readHeaders([{ batch, shard: 0 }]))[0]?.number ?? 0) > 10);
  batches.put({ ...definition, version: 2, stock: { total: 10, perUser: 1 } });
  owner.batchChanged(batch);
  try {
    const settled = await eventually(
      () => confirmed.filter(({ version }) => version === 2).length === 2 && confirmed.slice(-2),
      { timeoutMs: 4_000 },
    );
    expect(settled.map(({ shortBy }) => shortBy)).toEqual([0, 0]);
  } finally {
    writing = false;
    await Promise.all(writers);
  }
});
