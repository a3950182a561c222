import type { Discount, Entry, ShardRules } from "@coupon/domain";
import { uniqueName } from "@coupon/testkit";
import {
  type Applied,
  type ClaimOutcome,
  type ClaimRequest,
  connectRedis,
  createShardCalls,
  type Expectation,
  type LockOutcome,
  type LockRequest,
  type RedeemRequest,
  type RedisConnection,
  type ReleaseRequest,
  type ReverseRequest,
  type ShardAddress,
  type ShardCalls,
} from "../../src/index.ts";
import { setClockOffset } from "../../src/testing.ts";

export const hashKey = Buffer.alloc(32, 7);
export const DAY_MS = 86_400_000;
export const discount: Discount = {
  discount: 500,
  currency: "CNY",
  lines: [{ lineId: "1", quantity: 2, discount: 500 }],
};

export function connect(): Promise<RedisConnection> {
  return connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
}

export const rulesOf = (change: Partial<ShardRules> = {}): ShardRules => ({
  version: 1,
  state: "issuing",
  revoked: false,
  fromMs: 0,
  untilMs: 9_000_000_000_000,
  allotment: 100,
  perDay: null,
  perUser: 1,
  perUserPerDay: null,
  buckets: 2,
  ...change,
});

export const claimOf = (userId: string, key = "k", change: Partial<ClaimRequest> = {}): ClaimRequest => ({
  userId,
  callerId: "app",
  key,
  via: "c",
  permitted: true,
  ...change,
});

/** A result that must be an applied one. */
export function applied<Outcome>(result: Applied<Outcome>): Extract<Applied<Outcome>, { kind: "applied" }> {
  if (result.kind !== "applied") throw new Error(`mismatch: ${JSON.stringify(result.found)}`);
  return result;
}

/** One shard under a prefix of its own, with an owner that keeps its expectation in step and logs the entries. */
export class ShardUnderTest {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly calls: ShardCalls;
  readonly at: ShardAddress = { batch: 7, shard: 3 };
  readonly log: string[] = [];
  epoch = 1;
  number = 0;
  hash = "";
  durable = 0;
  atMs = 0;

  constructor(redis: RedisConnection, prefix = uniqueName("t")) {
    this.redis = redis;
    this.prefix = prefix;
    this.calls = createShardCalls({ redis, prefix, hashKey });
  }

  static async open(redis: RedisConnection, rules?: Partial<ShardRules>): Promise<ShardUnderTest> {
    const shard = new ShardUnderTest(redis);
    if (!(await shard.calls.open(shard.at, null, 1))) throw new Error("the shard is there already");
    if (rules !== undefined) await shard.rules(rules);
    return shard;
  }

  get expect(): Expectation {
    const { epoch, hash, durable } = this;
    return { epoch, hash, durable, durableOffset: durable === 0 ? -1 : durable + 100 };
  }

  get entries(): Entry[] {
    return this.log.map((text) => JSON.parse(text) as Entry);
  }

  /** Outcomes of a call that must apply. */
  async did<Outcome>(call: Promise<Applied<Outcome>>): Promise<Outcome[]> {
    const { number, hash, atMs, outcomes, entry } = applied(await call);
    if (number !== this.number + (entry === null ? 0 : 1)) throw new Error(`number ${number} after ${this.number}`);
    if (entry !== null) this.log.push(entry);
    this.number = number;
    this.hash = hash;
    this.atMs = atMs;
    return outcomes;
  }

  rules(change: Partial<ShardRules>): Promise<{ shortBy: number }[]> {
    return this.did(this.calls.changeRules(this.at, this.expect, rulesOf(change)));
  }

  claim(requests: ClaimRequest[], days: number[] = []): Promise<ClaimOutcome[]> {
    return this.did(this.calls.claim(this.at, this.expect, days, requests));
  }

  async issue(...users: string[]): Promise<void> {
    const outcomes = await this.claim(users.map((user) => claimOf(user)));
    if (outcomes.some(({ kind }) => kind !== "issued")) throw new Error(JSON.stringify(outcomes));
  }

  lock(change: Partial<LockRequest> = {}) {
    return this.did(this.calls.lock(this.at, this.expect, [lockOf(change)]));
  }

  redeem(change: Partial<RedeemRequest> = {}) {
    return this.did(this.calls.redeem(this.at, this.expect, [redeemOf(change)]));
  }

  release(change: Partial<ReleaseRequest> = {}) {
    return this.did(this.calls.release(this.at, this.expect, [releaseOf(change)]));
  }

  reverse(change: Partial<ReverseRequest>) {
    return this.did(this.calls.reverse(this.at, this.expect, [reverseOf(change)]));
  }

  deactivate(serial = 0) {
    return this.did(this.calls.deactivate(this.at, this.expect, [{ serial, reason: 'bad "luck"\n' }]));
  }

  async step(offsetMs: number): Promise<void> {
    await setClockOffset(this.redis, this.prefix, this.at, offsetMs);
  }

  async version(serial = 0): Promise<number> {
    return (await this.calls.readRecords(this.at, [serial]))[0]?.version ?? -1;
  }

  /** Lets a record go cold, as time does. */
  async cool(serial = 0): Promise<void> {
    await this.redis.del(`${this.prefix}{7.3}:c${serial}`);
  }
}

const about = { serial: 0, userId: "ann", callerId: "app", orderId: "o1", permitted: true };
const always = { validFromMs: 0, validUntilMs: 9_000_000_000_000 };

export const lockOf = (change: Partial<LockRequest> = {}): LockRequest => ({
  ...about,
  ...always,
  payload: "p1",
  holdMs: 60_000,
  verdict: { kind: "discount", discount },
  ...change,
});

export const redeemOf = (change: Partial<RedeemRequest> = {}): RedeemRequest => ({
  ...about,
  ...always,
  ...change,
});

/** A redemption in one step. */
export const orderOf = (
  change: Partial<NonNullable<RedeemRequest["order"]>> = {},
): NonNullable<RedeemRequest["order"]> => ({
  payload: "p1",
  verdict: { kind: "discount", discount },
  ...change,
});

export const releaseOf = (change: Partial<ReleaseRequest> = {}): ReleaseRequest => ({ ...about, ...always, ...change });

export const reverseOf = (change: Partial<ReverseRequest> = {}): ReverseRequest => ({
  ...about,
  recordVersion: 0,
  keyHash: "00000000000000aa",
  payload: "all",
  reversalId: "rev1",
  reason: "returned",
  reversed: discount,
  remaining: 0,
  restored: true,
  ...change,
});

export const refused = (code: string) => [{ kind: "refused", code }];
export const cold = [{ kind: "cold" }];
export const untilOf = ([outcome]: LockOutcome[]): number => (outcome?.kind === "locked" ? outcome.untilMs : -1);

/** A shard with coupon 0 of ann and coupon 1 of bob. */
export async function annAndBob(redis: RedisConnection): Promise<ShardUnderTest> {
  const shard = await ShardUnderTest.open(redis, {});
  await shard.issue("ann", "bob");
  return shard;
}
