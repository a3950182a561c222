import type { Answer, Ask, History, Operation } from "../history.ts";
import { Random } from "./random.ts";
import { CALLERS, drawBatch, drawVersion, enforce, type ReferenceBatch } from "./reference-batches.ts";
import { ReferenceLog } from "./reference-log.ts";
import { ReferencePlatform, referenceKeyHash } from "./reference-platform.ts";
import type { ClaimAsk, OrderAsk, Reply } from "./reference-replies.ts";
import { ReferenceRows } from "./reference-rows.ts";
import type { ReferenceCoupon, ReferenceShard } from "./reference-shard.ts";
import { type Base, grantReply, notNowReply, orderOf, orderOperation, unknownReply } from "./requests.ts";

export interface CleanHistoryOptions {
  seed: number;
  /** Operations, or a few more. */
  operations: number;
  /** Default 4. */
  partitions?: number;
}

const OPERATIONS_A_BATCH = 20_000;
const BATCHES_AT_ONCE = 3;
const BEGIN_MS = Date.UTC(2026, 0, 1);
/** The scripts' clock and the callers' are not one. */
const SKEW_MS = 90_000;
const HOUR_MS = 3_600_000;
const RECENT = 200;

/**
 * A history that breaks no promise: a crowd at the reference platform, with overlapping requests, repeats, replies
 * that were lost, requests that arrived late or never, owners that changed, rules that changed and days that
 * passed. By its seed it is the same each time, and its operations are made as they are read.
 */
export function cleanHistory(options: CleanHistoryOptions): History {
  const run = new Run(options);
  for (const _ of run.operations()) {
    // The log, the rows and the batches are what this first time is for.
  }
  const { log, rows, batches } = run;
  const positions = log.messages.map((messages, partition) => ({
    partition,
    position: messages.length,
    epoch: log.epochs[partition] as number,
  }));
  return {
    batches: batches.map(({ versions }) => ({ versions })),
    partitions: log.messages.length,
    operations: { [Symbol.iterator]: () => new Run(options).operations() },
    log: { [Symbol.iterator]: () => allOf(log.messages) },
    ledger: rows.ledger(
      batches.flatMap(({ shards }) => shards),
      positions,
    ),
    keyHash: referenceKeyHash,
  };
}

function* allOf<T>(lists: readonly (readonly T[])[]): Generator<T> {
  for (const list of lists) yield* list;
}

/** A request that is sent once or more often. */
interface Request {
  make(base: Base): Operation;
  execute(): Reply;
  again(): void;
}

/** What becomes of one attempt, in parts of a hundred. */
const FATES = [
  { upTo: 80, executed: true, answered: "reply" },
  { upTo: 88, executed: true, answered: "lost" },
  { upTo: 91, executed: false, answered: "lost" },
  { upTo: 94, executed: true, answered: "unknown" },
  { upTo: 96, executed: false, answered: "not_now" },
  { upTo: 98, executed: true, answered: "before" },
  { upTo: 101, executed: true, answered: "twice" },
] as const;

class Run {
  readonly batches: ReferenceBatch[] = [];
  readonly log: ReferenceLog;
  readonly rows = new ReferenceRows();
  readonly #random: Random;
  readonly #platform: ReferencePlatform;
  readonly #operations: number;
  readonly #partitions: number;
  readonly #claimsAgain = new Map<ReferenceShard, ClaimAsk[]>();
  readonly #ordersAgain: { batch: ReferenceBatch; ask: OrderAsk }[] = [];
  #nowMs = BEGIN_MS;
  #id = 0;

  constructor({ seed, operations, partitions = 4 }: CleanHistoryOptions) {
    this.#random = new Random(seed);
    this.#operations = operations;
    this.#partitions = partitions;
    this.log = new ReferenceLog(partitions, this.#random);
    this.#platform = new ReferencePlatform(this.log, this.rows);
  }

  *operations(): Generator<Operation> {
    while (this.#id < this.#operations) {
      this.#nowMs += this.#random.whole(0, 3);
      if (this.#random.chance(0.0004)) this.#nowMs += this.#random.whole(1, 9) * HOUR_MS;
      this.#publish();
      const batch = this.#random.pick(this.batches.slice(-BATCHES_AT_ONCE));
      this.#changeRules(batch);
      const drawn = this.#random.next();
      if (drawn < 0.45) yield* this.#claims(batch);
      else if (drawn < 0.48) yield* this.#grant(batch);
      else yield* this.#order(batch);
    }
  }

  #publish(): void {
    const due = Math.floor(this.#id / OPERATIONS_A_BATCH) + BATCHES_AT_ONCE;
    while (this.batches.length < due) {
      const batch = drawBatch(this.#random, this.batches.length + 1, OPERATIONS_A_BATCH / 5, this.#partitions);
      this.batches.push(batch);
      for (const shard of batch.shards) enforce(batch, shard, this.#scriptMs(), this.log, this.rows);
      (batch.versions[0] as { inForceAtMs: number }).inForceAtMs = this.#nowMs;
    }
  }

  #changeRules(batch: ReferenceBatch): void {
    const newest = batch.versions.at(-1) as ReferenceBatch["versions"][number];
    const behind = batch.shards.filter(({ rules }) => rules?.version !== newest.definition.version);
    const [shard] = behind;
    if (shard !== undefined && this.#random.chance(0.3)) {
      enforce(batch, shard, this.#scriptMs(), this.log, this.rows);
      if (behind.length === 1) newest.inForceAtMs = this.#nowMs;
    }
    const often = batch.definition.state === "paused" ? 0.02 : 0.0005;
    if (behind.length === 0 && this.#random.chance(often)) drawVersion(this.#random, batch, this.#nowMs);
  }

  *#claims(batch: ReferenceBatch): Generator<Operation> {
    const shard = this.#random.pick(batch.shards);
    const asks = (this.#claimsAgain.get(shard) ?? []).slice();
    this.#claimsAgain.set(shard, []);
    for (let more = this.#random.whole(1, 8); more > 0; more -= 1) asks.push(this.#drawClaim(batch, shard, "c"));
    for (const ask of asks) yield* this.#attempt(this.#claimRequest(batch, shard, ask));
  }

  #claimRequest(batch: ReferenceBatch, shard: ReferenceShard, ask: ClaimAsk): Request {
    const { batchId } = batch.definition;
    const request = { batchId, userId: ask.userId, idempotencyKey: ask.key };
    return {
      make: (base) => ({ ...base, callerId: ask.callerId, op: "claim", request }),
      execute: () => this.#claim(batch, shard, [ask])[0] as Reply,
      again: () => this.#claimsAgain.get(shard)?.push(ask),
    };
  }

  #drawClaim(batch: ReferenceBatch, shard: ReferenceShard, via: "c" | "g"): ClaimAsk {
    const { stock, shards } = batch.definition;
    const user = this.#random.whole(0, Math.ceil(stock.total / shards));
    return {
      callerId: this.#random.pick(CALLERS),
      userId: `u-${shard.address.shard}-${user}`,
      key: `k${this.#random.whole(0, 5)}`,
      via,
    };
  }

  /** "Sold out" is said where the batch is, and "not now" where stock is elsewhere. */
  #claim(batch: ReferenceBatch, shard: ReferenceShard, asks: ClaimAsk[]): Reply[] {
    if (shard.left <= 0) this.#platform.move(batch, shard, this.#scriptMs());
    const replies = this.#platform.claim(batch, shard, this.#scriptMs(), asks);
    const issued = batch.shards.reduce((sum, { coupons }) => sum + coupons.length, 0);
    const soldOut = issued >= batch.definition.stock.total;
    return replies.map((reply) => {
      const exhausted = (reply.body as { code?: string }).code === "stock_exhausted";
      if (!exhausted || soldOut) return reply;
      return { ...reply, status: 503, body: { code: "stock_in_transfer", outcome: "none" } };
    });
  }

  *#grant(batch: ReferenceBatch): Generator<Operation> {
    const shard = this.#random.pick(batch.shards);
    const callerId = this.#random.pick(CALLERS);
    const asks = Array.from({ length: this.#random.whole(1, 6) }, () => ({
      ...this.#drawClaim(batch, shard, "g"),
      callerId,
    }));
    const grants = asks.map(({ userId, key }) => ({ userId, idempotencyKey: key }));
    const request = { batchId: batch.definition.batchId, grants };
    yield* this.#attempt({
      make: (base) => ({ ...base, callerId, op: "grant", request }),
      execute: () => grantReply(this.#claim(batch, shard, asks), grants),
      again: () => undefined,
    });
  }

  *#order(batch: ReferenceBatch): Generator<Operation> {
    const again = this.#ordersAgain.pop();
    if (again !== undefined) return yield* this.#attempt(this.#orderRequest(again.batch, again.ask));
    const shard = this.#random.pick(batch.shards);
    if (shard.coupons.length === 0) return;
    const from = Math.max(0, shard.coupons.length - RECENT);
    const coupon = shard.coupons[this.#random.whole(from, shard.coupons.length - 1)] as ReferenceCoupon;
    const drawn = this.#random.next();
    if (drawn < 0.02) yield* this.#deactivate(coupon);
    else if (drawn < 0.1) yield* this.#read(coupon);
    else yield* this.#attempt(this.#orderRequest(batch, this.#drawOrder(coupon)));
  }

  #drawOrder(coupon: ReferenceCoupon): OrderAsk {
    const number = this.#random.whole(0, 2);
    const orderId = `o-${coupon.shard.address.batch}-${coupon.shard.address.shard}-${coupon.serial}-${number}`;
    const base = { callerId: CALLERS[number % 2] as string, orderId, userId: coupon.userId, coupon };
    const order = orderOf(coupon.serial + number + (this.#random.chance(0.05) ? 1 : 0));
    const drawn = this.#random.next();
    if (drawn < 0.4) return { ...base, op: "lock", order, holdSeconds: this.#random.pick([10, 600, 3_600]) };
    if (drawn < 0.7) return { ...base, op: "redeem", ...(this.#random.chance(0.5) ? { order } : {}) };
    if (drawn < 0.8) return { ...base, op: "release" };
    const ask: Ask = this.#random.chance(0.4)
      ? { all: true }
      : { lines: [{ lineId: "1", quantity: this.#random.whole(1, 2) }] };
    const restore = this.#random.chance(0.3) ? { restore: this.#random.chance(0.5) } : {};
    return { ...base, op: "reverse", key: `r${this.#random.whole(0, 2)}`, ask, ...restore };
  }

  #orderRequest(batch: ReferenceBatch, ask: OrderAsk): Request {
    return {
      make: (base) => orderOperation(base, ask),
      execute: () => this.#platform.order(batch, this.#scriptMs(), ask),
      again: () => this.#ordersAgain.push({ batch, ask }),
    };
  }

  *#deactivate(coupon: ReferenceCoupon): Generator<Operation> {
    const request = { couponId: coupon.couponId, reason: "fraud" };
    yield* this.#attempt({
      make: (base) => ({ ...base, callerId: "", op: "deactivate", request }),
      execute: () => this.#platform.deactivate(this.#scriptMs(), coupon, request.reason),
      again: () => undefined,
    });
  }

  *#read(coupon: ReferenceCoupon): Generator<Operation> {
    const { couponId, userId, shard } = coupon;
    const readAfter = [{ partition: shard.partition, offset: shard.durableOffset }];
    yield* this.#attempt({
      make: (base) => ({ ...base, callerId: "shop", op: "readCoupon", request: { couponId, userId, readAfter } }),
      execute: () => ({ status: 200, body: { couponId, userId }, positions: [] }),
      again: () => undefined,
    });
  }

  *#attempt(request: Request): Generator<Operation> {
    const drawn = this.#random.next() * 100;
    const fate = FATES.find(({ upTo }) => drawn < upTo) ?? FATES[0];
    const reply = fate.executed ? request.execute() : null;
    if (fate.answered === "twice") yield request.make(this.#base(request.execute(), 0));
    if (fate.answered === "reply" || fate.answered === "twice") yield request.make(this.#base(reply, 0));
    else if (fate.answered === "unknown") yield request.make(this.#base(unknownReply, 0));
    else if (fate.answered === "not_now") yield request.make(this.#base(notNowReply, 0));
    // It was given up long before it happened.
    else if (fate.answered === "before") yield request.make(this.#base(unknownReply, 5_000));
    else yield request.make(this.#base(null, 0));
    if (fate.answered !== "reply" && this.#random.chance(0.7)) request.again();
  }

  /** An attempt that is executed now, between its call and its return. */
  #base(reply: Reply | null, earlierMs: number): Base {
    this.#id += 1;
    const calledAtMs = this.#nowMs - this.#random.whole(1, 30) - earlierMs;
    const returnedAtMs = earlierMs > 0 ? calledAtMs + 1_000 : this.#nowMs + this.#random.whole(1, 30);
    const answer: Answer | null = reply;
    return {
      id: this.#id,
      callerId: "",
      client: `client-${this.#id % 64}`,
      calledAtMs,
      returnedAtMs: answer === null ? null : returnedAtMs,
      answer,
    };
  }

  #scriptMs(): number {
    return this.#nowMs + SKEW_MS;
  }
}
