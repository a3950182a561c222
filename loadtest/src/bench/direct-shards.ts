import type { ShardRules } from "@coupon/domain";
import { bucketsFor, type ClaimRequest, type Expectation, type ShardAddress, type ShardCalls } from "@coupon/redis";

const epoch = 1;
const dayMs = 86_400_000;

/** Shards that the bench itself owns, under a key prefix of its own: the scripts without the platform around them. */
export class DirectShards {
  readonly #calls: ShardCalls;
  readonly #shards: { at: ShardAddress; expect: Expectation }[];

  private constructor(calls: ShardCalls, shards: { at: ShardAddress; expect: Expectation }[]) {
    this.#calls = calls;
    this.#shards = shards;
  }

  /** Opens the shards of a batch and puts rules in force under which everybody may have one coupon. */
  static async open(calls: ShardCalls, batch: number, shards: number, stock: number): Promise<DirectShards> {
    const allotment = Math.ceil(stock / shards);
    const now = Date.now();
    const rules: ShardRules = {
      version: 1,
      state: "issuing",
      revoked: false,
      fromMs: now - dayMs,
      untilMs: now + dayMs,
      allotment,
      perDay: null,
      perUser: 1,
      perUserPerDay: null,
      buckets: bucketsFor(allotment),
    };
    const opened = [];
    for (let shard = 0; shard < shards; shard += 1) {
      const at = { batch, shard };
      if (!(await calls.open(at, null, epoch))) throw new Error(`The shard ${batch}.${shard} could not be opened`);
      const expect: Expectation = { epoch, hash: "", durable: 0, durableOffset: -1 };
      const applied = await calls.changeRules(at, expect, rules);
      if (applied.kind !== "applied") throw new Error(`The shard ${batch}.${shard} took no rules`);
      opened.push({ at, expect: durableUpTo(applied) });
    }
    return new DirectShards(calls, opened);
  }

  get count(): number {
    return this.#shards.length;
  }

  /** One call of the claim script on one shard. Throws where not all are issued. */
  async claim(index: number, requests: ClaimRequest[]): Promise<void> {
    const shard = this.#shards[index];
    if (shard === undefined) throw new Error(`There is no shard ${index}`);
    const today = Date.now() - (Date.now() % dayMs);
    const applied = await this.#calls.claim(shard.at, shard.expect, [today, today + dayMs], requests);
    if (applied.kind !== "applied" || applied.outcomes.some((it) => it.kind !== "issued")) {
      throw new Error(`A direct claim failed: ${JSON.stringify(applied).slice(0, 300)}`);
    }
    // As an owner whose log confirms at once, so that the outbox holds one entry.
    shard.expect = durableUpTo(applied);
  }
}

function durableUpTo({ number, hash }: { number: number; hash: string }): Expectation {
  return { epoch, hash, durable: number, durableOffset: number };
}
