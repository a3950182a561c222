import type { ShardRules } from "@coupon/domain";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type {
  Applied,
  ClaimRequest,
  LockRequest,
  RedeemRequest,
  RedisConnection,
  ReleaseRequest,
} from "../src/index.ts";
import { dump } from "./support/dump.ts";
import { ShardModel } from "./support/model.ts";
import { applied, connect, DAY_MS, discount, reverseOf, rulesOf, ShardUnderTest } from "./support/shard.ts";

let redis: RedisConnection;
beforeAll(async () => {
  redis = await connect();
});
afterAll(() => redis.close());

const BASE = Math.floor(Date.now() / DAY_MS) * DAY_MS;
const DAYS = Array.from({ length: 30 }, (_, n) => BASE + n * DAY_MS);

const user = fc.constantFrom("ann", "bob", "cid", "dan");
const caller = fc.constantFrom("app", "web");
const serial = fc.nat(5);
const often = fc.integer({ min: 0, max: 7 }).map((n) => n > 0);
const seldom = often.map((yes) => !yes);
const payload = fc.constantFrom("p1", "p1", "p1", "p2");
const about = { serial, userId: user, callerId: caller, orderId: fc.constantFrom("o1", "o2", "o3"), permitted: often };
const verdict = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .integer({ min: 1, max: 900 })
      .map((n) => ({ kind: "discount" as const, discount: { ...discount, discount: n } })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "minimum_spend_not_met" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "nothing_to_discount" as const }) },
);
const validity = {
  validFromMs: fc.constantFrom(0, 0, 0, BASE + 3 * DAY_MS),
  validUntilMs: fc.constantFrom(9e12, 9e12, 9e12, BASE + 5 * DAY_MS),
};
const state = fc.constantFrom<ShardRules["state"]>(
  "issuing",
  "issuing",
  "issuing",
  "issuing",
  "paused",
  "ended",
  "approved",
  "deactivated",
);

const claim: fc.Arbitrary<ClaimRequest> = fc.record({
  userId: user,
  callerId: caller,
  key: fc.constantFrom("1", "2", "3"),
  via: fc.constantFrom("c", "g"),
  permitted: often,
});
const lock: fc.Arbitrary<LockRequest> = fc.record({
  ...about,
  ...validity,
  payload,
  verdict,
  holdMs: fc.constantFrom(10_000, 60_000, DAY_MS),
});
const redeem: fc.Arbitrary<RedeemRequest> = fc.record(
  { ...about, ...validity, order: fc.record({ payload, verdict }) },
  { requiredKeys: ["serial", "userId", "callerId", "orderId", "permitted", "validFromMs", "validUntilMs"] },
);
const release: fc.Arbitrary<ReleaseRequest> = fc.record({ ...about, ...validity });
const reversal = fc.record({
  ...about,
  keyHash: fc.constantFrom("aa", "bb", "cc"),
  restored: fc.boolean(),
  stale: seldom,
});
const rules = fc.record({
  state,
  revoked: seldom,
  fromMs: fc.constantFrom(0, 0, 0, BASE + 2 * DAY_MS),
  untilMs: fc.constantFrom(9e12, 9e12, 9e12, BASE + 6 * DAY_MS),
  allotment: fc.integer({ min: 0, max: 12 }),
  perDay: fc.constantFrom<(number | null)[]>(null, null, 1, 3),
  perUser: fc.integer({ min: 0, max: 4 }),
  perUserPerDay: fc.constantFrom<(number | null)[]>(null, null, 1, 2),
  buckets: fc.integer({ min: 1, max: 4 }),
  outdated: seldom,
});

const many = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 5 });
const command = fc.oneof(
  { weight: 5, arbitrary: many(claim).map((requests) => ({ do: "claim" as const, requests })) },
  { weight: 4, arbitrary: many(lock).map((requests) => ({ do: "lock" as const, requests })) },
  { weight: 4, arbitrary: many(redeem).map((requests) => ({ do: "redeem" as const, requests })) },
  { weight: 2, arbitrary: many(release).map((requests) => ({ do: "release" as const, requests })) },
  { weight: 3, arbitrary: reversal.map((request) => ({ do: "reverse" as const, request })) },
  { weight: 1, arbitrary: many(serial).map((serials) => ({ do: "deactivate" as const, serials })) },
  { weight: 2, arbitrary: rules.map((change) => ({ do: "rules" as const, change })) },
  {
    weight: 1,
    arbitrary: fc
      .record({ target: fc.nat(1), amount: fc.nat(4), again: seldom })
      .map((ask) => ({ do: "debit" as const, ask })),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ source: fc.nat(1), amount: fc.integer({ min: 1, max: 4 }), again: seldom })
      .map((ask) => ({ do: "credit" as const, ask })),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(1_000, 15_000, 3_600_000, DAY_MS).map((byMs) => ({ do: "step" as const, byMs })),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ epoch: fc.constantFrom(0, 1, -1), entry: fc.boolean() })
      .map((wrong) => ({ do: "mismatch" as const, wrong })),
  },
  { weight: 1, arbitrary: fc.nat(20).map((behind) => ({ do: "durable" as const, behind })) },
  { weight: 1, arbitrary: fc.constant({ do: "take over" as const }) },
);
const chill = fc.oneof(
  { weight: 8, arbitrary: command },
  { weight: 1, arbitrary: serial.map((which) => ({ do: "cool" as const, which })) },
  { weight: 1, arbitrary: serial.map((which) => ({ do: "warm" as const, which })) },
);
type Command = typeof chill extends fc.Arbitrary<infer T> ? T : never;

class Run {
  readonly shard: ShardUnderTest;
  readonly model = new ShardModel();
  offsetMs = 0;

  constructor(shard: ShardUnderTest) {
    this.shard = shard;
  }

  /** Does one thing to the shard and to the model, and holds them to each other. */
  async step(command: Command): Promise<void> {
    const { shard, model } = this;
    const { calls, at } = shard;
    switch (command.do) {
      case "claim":
        return this.hold(await calls.claim(at, shard.expect, DAYS, command.requests), (now) =>
          model.claim(now, DAYS, command.requests),
        );
      case "lock":
        return this.hold(await calls.lock(at, shard.expect, command.requests), (now) =>
          command.requests.map((one) => model.lock(now, one)),
        );
      case "redeem":
        return this.hold(await calls.redeem(at, shard.expect, command.requests), (now) =>
          command.requests.map((one) => model.redeem(now, one)),
        );
      case "release":
        return this.hold(await calls.release(at, shard.expect, command.requests), (now) =>
          command.requests.map((one) => model.release(now, one)),
        );
      case "reverse": {
        const coupon = model.coupons[command.request.serial];
        const { stale, ...given } = command.request;
        const recordVersion = (coupon?.touched ? coupon.version : 0) + (stale ? 1 : 0);
        const request = reverseOf({ ...given, recordVersion, remaining: given.restored ? 0 : 1 });
        return this.hold(await calls.reverse(at, shard.expect, [request]), (now) => [model.reverse(now, request)]);
      }
      case "deactivate": {
        const requests = command.serials.map((which) => ({ serial: which, reason: "r" }));
        return this.hold(await calls.deactivate(at, shard.expect, requests), () =>
          command.serials.map((which) => model.deactivate(which)),
        );
      }
      case "rules": {
        const { outdated, ...change } = command.change;
        const next = rulesOf({ ...change, version: (model.rules?.version ?? 0) + (outdated ? 0 : 1) });
        return this.hold(await calls.changeRules(at, shard.expect, next), () => [
          { shortBy: model.changeRules(next).shortBy },
        ]);
      }
      case "debit": {
        const { target, amount, again } = command.ask;
        const credited = (model.debits.get(target)?.transfer ?? 0) - (again && model.debits.has(target) ? 1 : 0);
        return this.hold(await calls.debit(at, shard.expect, { target, amount, credited }), () => [
          model.debit(target, amount, credited),
        ]);
      }
      case "credit": {
        const { source, amount, again } = command.ask;
        const transfer = (model.credits.get(source) ?? 0) + (again ? 0 : 1);
        return this.hold(await calls.credit(at, shard.expect, source, amount, transfer), () => [
          { credited: model.credit(source, amount, transfer) },
        ]);
      }
      case "step":
        this.offsetMs += command.byMs;
        return shard.step(this.offsetMs);
      case "mismatch": {
        const { epoch, entry } = command.wrong;
        if (epoch === 0 && !entry) return;
        const hash = entry ? `of another entry than ${shard.hash}` : shard.hash;
        const wrong = { ...shard.expect, epoch: shard.epoch + epoch, hash, durable: 0 };
        const before = await dump(redis, shard.prefix);
        expect(await calls.claim(at, wrong, DAYS, [])).toEqual({
          kind: "mismatch",
          found: { epoch: shard.epoch, number: shard.number },
        });
        return expect(await dump(redis, shard.prefix)).toEqual(before);
      }
      case "durable":
        shard.durable = Math.max(shard.durable, shard.number - command.behind);
        return;
      case "take over": {
        const hash = (await calls.readHeaders([at]))[0]?.hash ?? "";
        const from = { epoch: shard.epoch, number: shard.number, hash };
        expect(await calls.open(at, { ...from, hash: `${hash}0` }, shard.epoch + 7)).toBe(false);
        expect(await calls.open(at, from, shard.epoch + 7)).toBe(true);
        shard.epoch += 7;
        return;
      }
      case "cool": {
        const coupon = model.coupons[command.which];
        if (coupon?.touched) coupon.cold = true;
        return shard.cool(command.which);
      }
      case "warm": {
        const coupon = model.coupons[command.which];
        if (!coupon?.cold) return;
        const { record } = coupon;
        Object.assign(coupon, { cold: false, version: shard.number });
        return this.hold(await calls.warm(at, shard.expect, [{ serial: command.which, record }]), () => []);
      }
    }
  }

  async hold<Outcome>(result: Applied<Outcome>, expected: (now: number) => unknown[]): Promise<void> {
    const { shard, model } = this;
    const { number, hash, atMs, outcomes, entry } = applied(result);
    expect(atMs).toBeGreaterThanOrEqual(shard.atMs);
    expect(outcomes).toEqual(expected(atMs));
    expect(number).toBe(shard.number + (entry === null ? 0 : 1));
    if (entry !== null) {
      shard.log.push(entry);
      shard.atMs = atMs;
    }
    shard.number = number;
    shard.hash = hash;
    model.number = number;
    const [header] = await shard.calls.readHeaders([shard.at]);
    expect(header).toMatchObject({ number, left: model.left, nextSerial: model.coupons.length, rules: model.rules });
    expect(await shard.calls.readOutbox(shard.at)).toEqual(shard.log.slice(header?.durable));
    await this.#holdRecords();
  }

  async #holdRecords(): Promise<void> {
    const serials = this.model.coupons.map((_, index) => index);
    if (serials.length === 0) return;
    const found = await this.shard.calls.readRecords(this.shard.at, serials);
    const sorted = (one: (typeof found)[number]) => {
      const released = one?.record.released.toSorted((a, b) => (a.order < b.order ? -1 : 1));
      return one && { ...one, record: { ...one.record, released, redemptions: one.record.redemptions.map(byKey) } };
    };
    const byKey = (one: NonNullable<(typeof found)[number]>["record"]["redemptions"][number]) => ({
      ...one,
      reversals: one.reversals.toSorted((a, b) => (a.keyHash < b.keyHash ? -1 : 1)),
    });
    expect(found.map(sorted)).toEqual(
      this.model.coupons.map(({ cold, touched, version, record }) =>
        cold ? null : sorted({ version: touched ? version : 0, record }),
      ),
    );
  }
}

const RUNS = Number(process.env.MODEL_RUNS ?? 60);

test("the scripts do what the model does, and redo of their entries gives the same state to the byte", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 40 }), async (commands) => {
      const run = new Run(await ShardUnderTest.open(redis));
      await run.step({ do: "rules", change: { ...rulesOf({ allotment: 8, perUser: 3 }), outdated: false } });
      for (const one of commands) await run.step(one);
      const other = await ShardUnderTest.open(redis);
      for (const [offset, text] of run.shard.log.entries()) {
        expect(await other.calls.redo(other.at, other.epoch, text, offset)).toBe(true);
      }
      expect(await dump(redis, other.prefix)).toEqual(await dump(redis, run.shard.prefix));
      await run.shard.calls.drop(run.shard.at);
      await other.calls.drop(other.at);
      expect(await redis.exists(`${run.shard.prefix}{7.3}:h`)).toBe(0);
    }),
    { numRuns: RUNS },
  );
}, 300_000);

test("the scripts do what the model does, also while records go cold and come back", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(chill, { minLength: 10, maxLength: 40 }), async (commands) => {
      const run = new Run(await ShardUnderTest.open(redis));
      await run.step({ do: "rules", change: { ...rulesOf({ allotment: 8, perUser: 3 }), outdated: false } });
      for (const one of commands) await run.step(one);
      await run.shard.calls.drop(run.shard.at);
      expect(await redis.keys(`${run.shard.prefix}{*`)).toEqual([]);
    }),
    { numRuns: RUNS },
  );
}, 300_000);
