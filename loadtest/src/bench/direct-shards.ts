import type { ShardRules } from "@coupon/domain";
import {
  bucketsFor,
  type ClaimRequest,
  createShardCalls,
  type Expectation,
  type RedisConnection,
  type ShardAddress,
  type ShardCalls,
} from "@coupon/redis";
import { createKeys, loadScript, packClaims } from "@coupon/redis/testing";

const epoch = 1;
const dayMs = 86_400_000;

const script = loadScript("claim");

export interface DirectOptions {
  redis: RedisConnection;
  prefix: string;
  hashKey: Buffer;
}

interface DirectShard {
  at: ShardAddress;
  expect: Expectation;
  buckets: number;
}

/** Shards that the bench itself owns, under a key prefix of its own: the scripts without the platform around them. */
export class DirectShards {
  readonly #options: DirectOptions;
  readonly #calls: ShardCalls;
  readonly #shards: DirectShard[];

  private constructor(options: DirectOptions, calls: ShardCalls, shards: DirectShard[]) {
    this.#options = options;
    this.#calls = calls;
    this.#shards = shards;
  }

  /** Opens the shards of a batch and puts rules in force under which everybody may have one coupon. */
  static async open(options: DirectOptions, batch: number, shards: number, stock: number): Promise<DirectShards> {
    const calls = createShardCalls(options);
    await options.redis.script("LOAD", script.text);
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
    const opened: DirectShard[] = [];
    for (let shard = 0; shard < shards; shard += 1) {
      const at = { batch, shard };
      if (!(await calls.open(at, null, epoch))) throw new Error(`The shard ${batch}.${shard} could not be opened`);
      const expect: Expectation = { epoch, hash: "", durable: 0, durableOffset: -1 };
      const applied = await calls.changeRules(at, expect, rules);
      if (applied.kind !== "applied") throw new Error(`The shard ${batch}.${shard} took no rules`);
      opened.push({ at, expect: durableUpTo(applied), buckets: rules.buckets });
    }
    return new DirectShards(options, calls, opened);
  }

  get count(): number {
    return this.#shards.length;
  }

  /** One call of the claim script on one shard, straight by ioredis. Throws where not all are issued. */
  async claim(index: number, requests: ClaimRequest[]): Promise<void> {
    const shard = this.#shards[index];
    if (shard === undefined) throw new Error(`There is no shard ${index}`);
    const today = Date.now() - (Date.now() % dayMs);
    const { redis, prefix, hashKey } = this.#options;
    const naming = { keys: createKeys(prefix), hashKey };
    const { keys, args } = packClaims(naming, shard.at, shard.expect, [today, today + dayMs], shard.buckets, requests);
    const reply = (await redis.evalsha(script.sha, keys.length, ...keys, ...args)) as Reply;
    const [kind, number, , outcomes, , hash] = reply;
    if (
      kind !== "applied" ||
      outcomes.length - outcomes.indexOf(";") !== requests.length + 1 ||
      !allIssued.test(outcomes)
    ) {
      throw new Error(`A direct claim failed: ${JSON.stringify(reply).slice(0, 300)}`);
    }
    // As an owner whose log confirms at once, so that the outbox holds one entry.
    shard.expect = durableUpTo({ number, hash });
  }

  /** Removes all of it. */
  async drop(): Promise<void> {
    await Promise.all(this.#shards.map(({ at }) => this.#calls.drop(at)));
  }
}

/** As claim.lua answers; its header has the letters. */
type Reply = [kind: string, number: number, atMs: number, outcomes: string, entry: string, hash: string];
const allIssued = /^\d+;i+$/;

function durableUpTo({ number, hash }: { number: number; hash: string }): Expectation {
  return { epoch, hash, durable: number, durableOffset: number };
}
