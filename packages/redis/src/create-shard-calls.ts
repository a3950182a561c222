import type { Correction, Entry, ShardRules } from "@coupon/domain";
import type { RedisConnection } from "./connect.ts";
import { type CouponCall, deactivateCall, lockCall, redeemCall, releaseCall, reverseCall } from "./coupon-calls.ts";
import { redisError } from "./errors.ts";
import { HEADER_FIELDS, parseHeader } from "./headers.ts";
import { createKeys, type Keys } from "./keys.ts";
import { dropShard, loadShard } from "./load.ts";
import { CLAIMS_MAX, frameArguments, packClaims } from "./pack-claims.ts";
import { parseClaimOutcomes } from "./parse-claims.ts";
import { bitsOf, packRecord, parseRecord } from "./records.ts";
import { packRedo } from "./redo.ts";
import { packRules, parseRules, rulesJsonStem } from "./rules-text.ts";
import { type Argument, loadScript, runScript } from "./scripts.ts";
import type {
  Applied,
  ClaimOutcome,
  ClaimRequest,
  CorrectionOutcome,
  CouponRecord,
  DayStarts,
  Expectation,
  ImageCoupons,
  OpenFrom,
  ShardAddress,
  ShardCalls,
  ShardHeader,
  ShardImage,
} from "./shard-calls.ts";

export interface ShardCallsOptions {
  redis: RedisConnection;
  /** What every key begins with. */
  prefix: string;
  /** Keys the hashes of users and idempotency keys: the same for all time, or nobody is found again. */
  hashKey: Buffer;
}

const scripts = {
  claim: loadScript("claim"),
  lock: loadScript("lock"),
  redeem: loadScript("redeem"),
  release: loadScript("release"),
  reverse: loadScript("reverse"),
  deactivate: loadScript("deactivate"),
  rules: loadScript("rules"),
  debit: loadScript("debit"),
  credit: loadScript("credit"),
  correct: loadScript("correct"),
  warm: loadScript("warm"),
  readRecords: loadScript("read-records"),
  open: loadScript("open"),
  redo: loadScript("redo"),
};

type Mismatch = Extract<Applied<never>, { kind: "mismatch" }>;
type AppliedReply = ["applied", number: number, atMs: number, outcomes: string, entry: string | null, hash: string];
type Reply = AppliedReply | ["mismatch", epoch: string | null, number: string | null] | ["buckets", number: number];

/** Shards whose number of buckets is remembered; beyond, it is asked for again. */
const BUCKETS_KNOWN_MAX = 100_000;

/**
 * The calls on shards by one connection. Every call throws RedisUnavailable where Redis can't be asked; whether it
 * was executed is then not known, and only an opening of the shard tells.
 */
export function createShardCalls(options: ShardCallsOptions): ShardCalls {
  return new RedisShardCalls(options);
}

class RedisShardCalls implements ShardCalls {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;
  readonly #hashKey: Buffer;
  readonly #buckets = new Map<string, number>();

  constructor({ redis, prefix, hashKey }: ShardCallsOptions) {
    if (hashKey.length < 32) throw new RangeError("the hash key is shorter than 32 bytes");
    this.#redis = redis;
    this.#keys = createKeys(prefix);
    this.#hashKey = hashKey;
  }

  async claim(
    at: ShardAddress,
    expect: Expectation,
    days: DayStarts,
    requests: ClaimRequest[],
  ): Promise<Applied<ClaimOutcome>> {
    const naming = { keys: this.#keys, hashKey: this.#hashKey };
    let buckets = await this.#bucketsOf(at);
    // The number is fixed by the first rules; it differs once where this process remembers none or an older shard's.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { keys, args } = packClaims(naming, at, expect, days, buckets, requests);
      const reply = (await runScript(this.#redis, scripts.claim, keys, args)) as Reply;
      if (reply[0] !== "buckets") return applied(reply, parseClaimOutcomes);
      buckets = reply[1];
      this.#remember(at, buckets);
    }
    throw new Error(`shard ${at.batch}.${at.shard} changes its number of buckets`);
  }

  lock = this.#onCoupons(lockCall);
  redeem = this.#onCoupons(redeemCall);
  release = this.#onCoupons(releaseCall);
  reverse = this.#onCoupons(reverseCall);
  deactivate = this.#onCoupons(deactivateCall);

  #onCoupons<Request extends { serial: number }, Outcome>(call: CouponCall<Request, Outcome>) {
    return async (at: ShardAddress, expect: Expectation, requests: Request[]): Promise<Applied<Outcome>> => {
      if (requests.length > CLAIMS_MAX) throw new RangeError(`more than ${CLAIMS_MAX} requests in a call`);
      const keys = [this.#keys.header(at), this.#keys.outbox(at)];
      const pages = new Set<string>();
      const args: Argument[] = frameArguments(at, expect);
      for (const request of requests) {
        keys.push(this.#keys.record(at, request.serial));
        pages.add(this.#keys.pageOf(at, request.serial));
        args.push(...call.pack(request));
      }
      keys.push(...pages);
      const reply = (await runScript(this.#redis, scripts[call.script], keys, args)) as Reply;
      const parse = (line: string, index: number) => call.parse(line, requests[index] as Request);
      return applied(reply, (text) => (requests.length === 0 ? [] : text.split("\n").map(parse)));
    };
  }

  async changeRules(at: ShardAddress, expect: Expectation, rules: ShardRules): Promise<Applied<{ shortBy: number }>> {
    const args = [...frameArguments(at, expect), packRules(rules), rulesJsonStem(rules), rules.buckets];
    const reply = await this.#onShard(at, scripts.rules, args);
    return applied(reply, (text) => [{ shortBy: Number(text) }]);
  }

  async debit(
    at: ShardAddress,
    expect: Expectation,
    ask: { target: number; amount: number; credited: number },
  ): Promise<Applied<{ amount: number; transfer: number; issued: number }>> {
    const reply = await this.#onShard(at, scripts.debit, [
      ...frameArguments(at, expect),
      ask.target,
      ask.amount,
      ask.credited,
    ]);
    return applied(reply, (text) => {
      const [amount, transfer, issued] = text.split(" ").map(Number) as [number, number, number];
      return [{ amount, transfer, issued }];
    });
  }

  async credit(
    at: ShardAddress,
    expect: Expectation,
    source: number,
    amount: number,
    transfer: number,
  ): Promise<Applied<{ credited: boolean }>> {
    const reply = await this.#onShard(at, scripts.credit, [...frameArguments(at, expect), source, amount, transfer]);
    return applied(reply, (text) => [{ credited: text === "1" }]);
  }

  async readRecords(
    at: ShardAddress,
    serials: number[],
  ): Promise<({ version: number; record: CouponRecord } | null)[]> {
    const keys = serials.flatMap((serial) => [this.#keys.pageOf(at, serial), this.#keys.record(at, serial)]);
    const reply = await runScript(this.#redis, scripts.readRecords, keys, serials);
    return (reply as (string[] | null)[]).map((fields) => (fields === null ? null : parseRecord(fields)));
  }

  async warm(
    at: ShardAddress,
    expect: Expectation,
    records: { serial: number; record: CouponRecord }[],
  ): Promise<Applied<null>> {
    const keys = [this.#keys.header(at), this.#keys.outbox(at)];
    const args: Argument[] = frameArguments(at, expect);
    for (const { serial, record } of records) {
      const fields = packRecord(record);
      keys.push(this.#keys.pageOf(at, serial), this.#keys.record(at, serial));
      args.push(serial, bitsOf(record), fields.length, ...fields);
    }
    const reply = (await runScript(this.#redis, scripts.warm, keys, args)) as Reply;
    return applied(reply, () => []);
  }

  async correct(at: ShardAddress, expect: Expectation, correction: Correction): Promise<Applied<CorrectionOutcome>> {
    const { correctionId, stores, serials, reason, proposedBy, approvedBy } = correction;
    const text = JSON.stringify({ correctionId, stores, serials, reason, proposedBy, approvedBy });
    const args = [...frameArguments(at, expect), text, correctionId, stores.includes("redis") ? 1 : 0];
    const reply = await this.#onShard(at, scripts.correct, args);
    return applied(reply, (outcome) => [
      { kind: "corrected", again: outcome.startsWith("0"), rebuild: outcome.endsWith("k") },
    ]);
  }

  async readCredits(at: ShardAddress): Promise<Map<number, number>> {
    const fields = await this.#ask(() => this.#redis.hgetall(this.#keys.header(at)));
    const credits = Object.entries(fields).filter(([field]) => /^C\d+$/.test(field));
    return new Map(credits.map(([field, transfer]) => [Number(field.slice(1)), Number(transfer)]));
  }

  readHeaders(at: ShardAddress[]): Promise<(ShardHeader | null)[]> {
    return Promise.all(
      at.map(async (one) => {
        const values = await this.#ask(() => this.#redis.hmget(this.#keys.header(one), ...HEADER_FIELDS));
        const header = parseHeader(values);
        if (header?.rules != null) this.#remember(one, header.rules.buckets);
        return header;
      }),
    );
  }

  readOutbox(at: ShardAddress): Promise<string[]> {
    return this.#ask(() => this.#redis.lrange(this.#keys.outbox(at), 0, -1));
  }

  async open(at: ShardAddress, from: OpenFrom | null, epoch: number): Promise<boolean> {
    const args = [epoch, from?.epoch ?? "", from?.number ?? "", from?.hash ?? ""];
    return (await runScript(this.#redis, scripts.open, [this.#keys.header(at)], args)) === 1;
  }

  async redo(at: ShardAddress, epoch: number, entryText: string, offset: number): Promise<boolean> {
    const entry = JSON.parse(entryText) as Entry;
    const buckets = entry.kind === "issue" ? await this.#bucketsOf(at) : 1;
    const naming = { keys: this.#keys, hashKey: this.#hashKey };
    const { keys, args } = packRedo(naming, at, epoch, entry, entryText, offset, buckets);
    return (await runScript(this.#redis, scripts.redo, keys, args)) === 1;
  }

  async drop(at: ShardAddress): Promise<void> {
    this.#buckets.delete(nameOf(at));
    await dropShard({ redis: this.#redis, keys: this.#keys, hashKey: this.#hashKey }, at);
  }

  async load(
    at: ShardAddress,
    image: ShardImage,
    coupons: AsyncIterable<ImageCoupons>,
    epoch: number,
    pace?: () => Promise<void>,
  ): Promise<void> {
    this.#buckets.delete(nameOf(at));
    const resources = { redis: this.#redis, keys: this.#keys, hashKey: this.#hashKey };
    await loadShard(resources, at, image, coupons, epoch, pace === undefined ? {} : { pace });
  }

  /** 1 where the shard has no rules yet: whatever it is, nothing is issued. */
  async #bucketsOf(at: ShardAddress): Promise<number> {
    const known = this.#buckets.get(nameOf(at));
    if (known !== undefined) return known;
    const rules = await this.#ask(() => this.#redis.hget(this.#keys.header(at), "r"));
    if (rules === null) return 1;
    const { buckets } = parseRules(rules);
    this.#remember(at, buckets);
    return buckets;
  }

  #remember(at: ShardAddress, buckets: number): void {
    if (this.#buckets.size >= BUCKETS_KNOWN_MAX) this.#buckets.clear();
    this.#buckets.set(nameOf(at), buckets);
  }

  async #onShard(at: ShardAddress, script: (typeof scripts)[keyof typeof scripts], args: Argument[]): Promise<Reply> {
    return (await runScript(this.#redis, script, [this.#keys.header(at), this.#keys.outbox(at)], args)) as Reply;
  }

  async #ask<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (error) {
      throw redisError(error);
    }
  }
}

const nameOf = ({ batch, shard }: ShardAddress): string => `${batch}.${shard}`;

function mismatch(epoch: string | null, number: string | null): Mismatch {
  const found = epoch == null ? null : { epoch: Number(epoch), number: Number(number) };
  return { kind: "mismatch", found };
}

function applied<Outcome>(reply: Reply, parse: (text: string) => Outcome[]): Applied<Outcome> {
  if (reply[0] === "mismatch") return mismatch(reply[1] ?? null, reply[2] ?? null);
  if (reply[0] !== "applied") throw new Error(`a script answered ${JSON.stringify(reply[0])}`);
  const [, number, atMs, outcomes, entry, hash] = reply;
  return { kind: "applied", number, atMs, outcomes: parse(outcomes), entry, hash };
}
