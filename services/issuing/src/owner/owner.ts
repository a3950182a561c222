import { type DerivedStore, type EntryKind, partitionOf } from "@coupon/domain";
import { RedisUnavailable, type ShardAddress } from "@coupon/redis";
import { applyBatch, batchSize, entryKind } from "./apply.ts";
import { ColdRecords } from "./cold-records.ts";
import { type OpenedShard, type OpenResources, openPartition } from "./open.ts";
import type { Answer, Done, NoOutcome, Operation, OutcomeOf } from "./operation.ts";
import {
  type AppliedEntry,
  Mismatch,
  type OwnerContext,
  type OwnerResources,
  type ShardTurn,
} from "./owner-context.ts";
import { Partition } from "./partition.ts";
import { Pending } from "./pending.ts";
import { rebuildShard } from "./rebuild.ts";
import { askRecord } from "./retention-guard.ts";
import { RulesInForce } from "./rules.ts";
import { Sender } from "./sender.ts";
import { Shard } from "./shard.ts";
import { StockTransfers } from "./stock-transfers.ts";

/** Share of what may be pending at which an operation is refused, so that claims, also forwarded ones, leave room. */
const pendingShare: Partial<Record<Operation["op"], number>> = { claim: 0.9, lock: 0.95 };
const SWEEP_MS = 50;
const REOPEN_DELAY_MS_MIN = 50;
const REOPEN_DELAY_MS_MAX = 2_000;

/**
 * The owner of the shards in this process's partitions. Read this file first: `submit` queues an operation,
 * `#pump` applies a micro-batch by one script call, the sender makes its entry durable, the shard answers.
 */
export class Owner implements OwnerContext {
  readonly resources: OwnerResources;
  readonly sender: Sender;
  readonly #partitions = new Map<number, Partition>();
  readonly #opening: OpenResources;
  readonly #cold: ColdRecords;
  readonly #rules: RulesInForce;
  readonly #transfers: StockTransfers;
  readonly #sweep: NodeJS.Timeout;
  readonly #closed = new AbortController();
  readonly #due = new Map<Shard, Partition>();
  readonly #pending = { count: 0 };

  constructor(resources: OwnerResources) {
    this.resources = resources;
    this.sender = new Sender(resources.appender, resources.appendTimeoutMs, {
      handedOver: (partition, shard) => this.pump(partition, shard),
      suspect: (partition, because) => this.reopen(partition, because),
      sent: (entries, seconds) => resources.metrics.sent(entries, seconds),
    });
    this.#opening = { ...resources, appender: this.sender };
    this.#cold = new ColdRecords(this);
    this.#transfers = new StockTransfers(this);
    this.#rules = new RulesInForce(this, this.#transfers);
    this.#sweep = setInterval(() => this.#expire(), SWEEP_MS);
    this.#sweep.unref();
  }

  get pending(): number {
    return this.#pending.count;
  }

  partitionIds(): number[] {
    return [...this.#partitions.keys()];
  }

  serving(): Iterable<Partition> {
    return [...this.#partitions.values()].filter(({ phase }) => phase === "serving");
  }

  /** Whether this process has the shard's partition, be it serving or opening. */
  has(partition: number): boolean {
    const phase = this.#partitions.get(partition)?.phase;
    return phase === "serving" || phase === "opening";
  }

  /** Asks a shard of this process. Always answers within `withinMs`, if only with `unknown`. */
  submit(operation: Operation, withinMs = this.resources.deadlineMs): Promise<Answer> {
    return new Promise((resolve) => this.ask(operation, withinMs, resolve));
  }

  /** As `submit`, answering by a callback: promises for each of a request's grants were half of its garbage. */
  ask(operation: Operation, withinMs: number, settle: (answer: Answer) => void): void {
    const partition = this.#partitions.get(partitionOf(operation.batch, operation.shard, this.resources.partitions));
    const refusal = this.#refusal(partition, operation);
    const shard = partition === undefined || refusal !== null ? undefined : this.#shardFor(partition, operation);
    if (partition === undefined || shard === undefined) {
      settle(refusal ?? { kind: "recovering" });
    } else if (this.resources.retention.stops(partition.id, operation.op)) {
      const enqueue = (record: Operation): Promise<Answer> =>
        new Promise((resolve) => this.#enqueue(partition, shard, record, withinMs, resolve));
      void askRecord(operation, enqueue).then(settle);
    } else this.#enqueue(partition, shard, operation, withinMs, settle);
  }

  #refusal(partition: Partition | undefined, { op }: Operation): NoOutcome | null {
    if (partition === undefined || partition.phase === "draining" || partition.phase === "closed") {
      return { kind: "not_owner" };
    }
    const bound = this.resources.pendingMax * (pendingShare[op] ?? 1);
    return this.#pending.count >= bound ? { kind: "overloaded" } : null;
  }

  #enqueue(
    partition: Partition,
    shard: Shard,
    operation: Operation,
    withinMs: number,
    settle: (answer: Answer) => void,
  ): void {
    const arrivedAtMs = performance.now() - (this.resources.deadlineMs - withinMs);
    shard.enqueue(new Pending(operation, arrivedAtMs, this.#pending, settle));
    this.#pumpSoon(partition, shard);
  }

  /**
   * Pumps at the end of this turn of the event loop: what arrives together goes into one script call. Pumped at once,
   * the first of a burst travelled alone and all the others waited for it, which halved the micro-batches.
   */
  #pumpSoon(partition: Partition, shard: Shard): void {
    if (this.#due.size === 0) setImmediate(() => this.#pumpDue());
    this.#due.set(shard, partition);
  }

  #pumpDue(): void {
    const due = [...this.#due];
    this.#due.clear();
    for (const [shard, partition] of due) this.pump(partition, shard);
  }

  /** While its partition opens, operations gather at a shard that is known by its definition alone. */
  #shardFor(partition: Partition, { batch, shard }: Operation): Shard | undefined {
    const address = { batch, shard };
    const found = partition.shard(address);
    if (found !== undefined || partition.phase !== "opening") return found;
    const isDefined = this.resources.batches.shardsOf(batch).some((one) => one.shard === shard);
    return isDefined ? partition.add(emptyShard(address)) : undefined;
  }

  /** Becomes the owner of a partition: opens it, for as long as it takes or until it is given up. */
  take(id: number): void {
    if (this.#partitions.has(id)) return;
    const partition = new Partition(id);
    this.#partitions.set(id, partition);
    void this.#openUntilServing(partition);
  }

  /** Hands a partition over: finishes what is under way, bounded in time, and answers nothing more. */
  async giveUp(id: number, withinMs: number): Promise<void> {
    const partition = this.#partitions.get(id);
    if (partition === undefined) return;
    const wasServing = partition.phase === "serving";
    partition.phase = "draining";
    const until = performance.now() + withinMs;
    while (wasServing && !partition.idle && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    partition.phase = "closed";
    partition.generation += 1;
    this.#partitions.delete(id);
    for (const shard of partition.shards.values()) {
      for (const pending of shard.retire()) pending.fail({ kind: "not_owner", attempted: pending.attempted });
    }
  }

  /** The operators changed a batch: its rules enter every shard of it that is here. */
  batchChanged(batch: number): void {
    for (const address of this.resources.batches.shardsOf(batch)) {
      const partition = this.#partitions.get(partitionOf(address.batch, address.shard, this.resources.partitions));
      if (partition?.phase !== "serving") continue;
      this.#adoptNew(partition, address);
      const shard = partition.shard(address);
      if (shard !== undefined) this.#rules.enforce(partition, shard);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.partitionIds().map((id) => this.giveUp(id, this.resources.deadlineMs)));
    this.#closed.abort();
    clearInterval(this.#sweep);
    this.#rules.close();
  }

  /** Starts the shard's next script call, where it is free for one. */
  pump(partition: Partition, shard: Shard): void {
    if (partition.phase !== "serving" || shard.recovering || shard.running || shard.unsent > 0) return;
    const job = shard.jobs.shift();
    const turn = job === undefined ? this.#microBatch(partition, shard) : () => job.run();
    if (turn === null) return;
    shard.running = true;
    const { generation } = partition;
    turn().then(
      () => this.#turnEnded(partition, shard),
      (error: unknown) => {
        shard.running = false;
        this.#turnFailed(partition, generation, error);
      },
    );
  }

  /** Takes over what a script call did: the entry goes out, and answers wait until it is durable. */
  applied({ partition, shard }: ShardTurn, result: AppliedEntry, kind: EntryKind): void {
    shard.number = result.number;
    shard.hash = result.hash;
    if (result.entry !== null) {
      this.sender.enqueue(partition, { shard, number: result.number, kind, text: result.entry });
    }
  }

  /**
   * Asks operations again that were taken out of their queue: by the shard as it is known now, or, where the
   * partition has been given up meanwhile, by its next owner.
   */
  requeue({ partition, shard }: ShardTurn, pendings: Pending[]): void {
    if (partition.phase === "closed") {
      for (const pending of pendings) pending.fail({ kind: "not_owner", attempted: pending.attempted });
      return;
    }
    const overdue = performance.now() - this.resources.deadlineMs;
    for (const pending of pendings) if (pending.arrivedAtMs < overdue) pending.fail(lateAnswer(pending, partition));
    const current = partition.shard(shard.address) ?? shard;
    current.putBack(pendings);
    this.pump(partition, current);
  }

  /** Opens a partition again: what it had promised nobody is asked again when it serves. */
  reopen(partition: Partition, because: string): void {
    if (partition.phase !== "serving") return;
    this.resources.logger.warn({ partition: partition.id, because }, "partition is opened again");
    this.resources.metrics.reopened();
    partition.phase = "opening";
    partition.generation += 1;
    partition.dropOutgoing();
    for (const shard of partition.shards.values()) shard.opened = false;
    void this.#openUntilServing(partition);
  }

  #microBatch(partition: Partition, shard: Shard): (() => Promise<void>) | null {
    const taken = shard.take(batchSize);
    if (taken === null) return null;
    const { name, pendings } = taken;
    return async () => {
      const { generation } = partition;
      for (const pending of pendings) pending.attempted = true;
      const days = name === "claim" ? this.resources.batches.dayStarts(shard.address.batch, Date.now()) : [];
      try {
        const result = await applyBatch(
          this.resources.calls,
          shard,
          partition.epoch,
          name,
          pendings,
          days,
          this.resources.belongsTo,
        );
        if (result.kind === "mismatch") throw new Mismatch(shard, result.found);
        const outcomes = result.outcomes.map((outcome, i) => firstAnswer(pendings[i] as Pending, outcome));
        if (partition.generation !== generation) return this.requeue({ partition, shard }, pendings);
        this.resources.metrics.batch(name, pendings.length);
        this.applied({ partition, shard }, result, entryKind[name]);
        this.#answer({ partition, shard }, pendings, { ...result, outcomes });
      } catch (error) {
        if (isExpected(error)) this.requeue({ partition, shard }, pendings);
        else for (const pending of pendings) pending.fail({ kind: "failed" });
        throw error;
      }
    };
  }

  #answer(
    turn: ShardTurn,
    pendings: Pending[],
    result: { number: number; atMs: number; outcomes: Done["outcome"][] },
  ): void {
    const answered: Pending[] = [];
    const answers: Omit<Done, "place">[] = [];
    const cold: Pending[] = [];
    const again: Pending[] = [];
    const outOfStock: Pending[] = [];
    for (let i = 0; i < pendings.length; i += 1) {
      const pending = pendings[i] as Pending;
      const outcome = result.outcomes[i] as Done["outcome"];
      const kind = "kind" in outcome ? outcome.kind : "";
      if (kind === "cold") cold.push(pending);
      else if (kind === "again" && pending.asksAgain()) again.push(pending);
      else if (kind === "again") pending.fail({ kind: "recovering" });
      else if (kind === "stock_exhausted" && !this.#transfers.isExhausted(turn.shard)) outOfStock.push(pending);
      else {
        if (wantsFetch(pending, outcome)) this.#transfers.fetch(turn);
        answered.push(pending);
        answers.push({ kind: "done", outcome, atMs: result.atMs });
      }
    }
    turn.shard.answerWhenDurable(result.number, answered, answers, turn.partition.id);
    if (pendings[0]?.operation.op === "correct")
      this.#carryOut(turn, pendings[0].operation.request.stores, result.number);
    if (again.length > 0) this.requeue(turn, again);
    if (cold.length > 0) this.#cold.load(turn, cold);
    if (outOfStock.length > 0) this.#transfers.refill(turn, outOfStock);
  }

  #turnEnded(partition: Partition, shard: Shard): void {
    shard.running = false;
    this.pump(partition, shard);
  }

  #turnFailed(partition: Partition, generation: number, error: unknown): void {
    if (!isExpected(error))
      this.resources.logger.error({ err: error, partition: partition.id }, "a script call failed");
    if (partition.generation === generation) this.reopen(partition, (error as Error).message);
  }

  async #openUntilServing(partition: Partition): Promise<void> {
    const { generation } = partition;
    const startedAt = performance.now();
    let delayMs = REOPEN_DELAY_MS_MIN;
    while (partition.generation === generation && partition.phase === "opening") {
      try {
        // A script call of before may still be on its way; its answer must not meet the new state.
        while ([...partition.shards.values()].some(({ running }) => running)) await pause(2, this.#closed.signal);
        if (!(await this.resources.holdsLease(partition.id))) return void this.giveUp(partition.id, 0);
        await this.#open(partition, generation);
        this.resources.metrics.opened((performance.now() - startedAt) / 1000);
      } catch (error) {
        this.resources.logger.warn({ partition: partition.id, because: (error as Error).message }, "opening failed");
        await pause(delayMs, this.#closed.signal);
        delayMs = Math.min(delayMs * 2, REOPEN_DELAY_MS_MAX);
      }
    }
  }

  async #open(partition: Partition, generation: number): Promise<void> {
    const opened = await openPartition(this.#opening, partition.id, this.#shardsIn(partition));
    if (partition.generation !== generation || partition.phase !== "opening") return;
    partition.epoch = opened.epoch;
    partition.lastOffset = opened.lastOffset;
    for (const one of opened.shards) this.#adopt(partition, one);
    partition.phase = "serving";
    // Batches may have been published while it was opened.
    for (const address of this.#shardsIn(partition)) this.#adoptNew(partition, address);
    for (const shard of partition.shards.values()) {
      if (shard.recovering) void this.#rebuild(partition, shard);
      else this.#rules.confirm(partition, shard);
      this.pump(partition, shard);
    }
  }

  #shardsIn(partition: Partition): ShardAddress[] {
    const { batches, partitions } = this.resources;
    return batches.shards().filter(({ batch, shard }) => partitionOf(batch, shard, partitions) === partition.id);
  }

  /** Makes the shard as the opening found it, and asks anew what had no answer. */
  #adopt(partition: Partition, found: OpenedShard): void {
    const before = partition.shard(found.address);
    const shard = partition.add(new Shard(found.address, found));
    shard.opened = true;
    shard.recovering = found.rebuild;
    if (before !== undefined) shard.putBack(before.retire());
  }

  /** A shard of a batch that was published after the opening begins empty, under the same epoch. */
  #adoptNew(partition: Partition, address: ShardAddress): void {
    const before = partition.shard(address);
    if (before?.opened === true) return;
    const shard = partition.add(emptyShard(address));
    shard.opened = true;
    if (before !== undefined) shard.putBack(before.retire());
    const run = async () => {
      const opened = await this.resources.calls.open(address, null, partition.epoch);
      if (!opened) throw new Mismatch(shard, null);
    };
    shard.jobs.push({ run });
    this.#rules.enforce(partition, shard);
    this.pump(partition, shard);
  }

  /** A correction of hot state: once its entry is durable, the shard is built anew from the ledger, in a turn of its own. */
  #carryOut({ partition, shard }: ShardTurn, stores: DerivedStore[], number: number): void {
    if (!stores.includes("redis")) return;
    const run = async () => {
      shard.recovering = true;
      void this.#rebuild(partition, shard);
    };
    shard.whenDurable(number, () => {
      shard.jobs.push({ run });
      this.pump(partition, shard);
    });
  }

  async #rebuild(partition: Partition, shard: Shard): Promise<void> {
    const { generation } = partition;
    const rebuilt = await rebuildShard(this.resources, partition, shard, () => partition.generation === generation);
    if (!rebuilt || partition.generation !== generation) return;
    shard.recovering = false;
    this.#rules.confirm(partition, shard);
    this.pump(partition, shard);
  }

  #expire(): void {
    const now = performance.now();
    const { deadlineMs, patienceMs } = this.resources;
    for (const partition of this.#partitions.values()) {
      for (const shard of partition.shards.values()) {
        if (shard.queued === 0 && shard.idle) continue;
        shard.expire(now - deadlineMs, (pending) => lateAnswer(pending, partition));
        const waits = partition.phase === "opening" || shard.recovering;
        if (waits) shard.expireUnattempted(now - patienceMs, { kind: "recovering" });
      }
    }
  }
}

function emptyShard(address: ShardAddress): Shard {
  return new Shard(address, { number: 0, hash: "", durableOffset: -1, rulesVersion: 0 });
}

/** What an opening heals. Anything else is a bug, and asking again would only meet it again. */
function isExpected(error: unknown): boolean {
  return error instanceof Mismatch || error instanceof RedisUnavailable;
}

function lateAnswer(pending: Pending, partition: Partition): NoOutcome {
  if (!pending.attempted) return partition.phase === "serving" ? { kind: "overloaded" } : { kind: "recovering" };
  return { kind: "unknown", because: partition.phase === "serving" ? "deadline_exceeded" : "log_unavailable" };
}

function wantsFetch({ operation }: Pending, outcome: Done["outcome"]): boolean {
  return operation.op === "debit" && operation.request.fetch === true && "amount" in outcome && outcome.amount === 0;
}

/**
 * What this very request did before its partition reopened comes back as a replay; it is the first answer all the same.
 */
function firstAnswer(pending: Pending, found: { kind: string } | OutcomeOf["debit"]): Done["outcome"] {
  const outcome = found as Done["outcome"];
  if (!("kind" in outcome)) return outcome;
  if (outcome.kind === "issued") pending.didFirst = outcome.serial;
  if (outcome.kind === "replayed" && outcome.serial === pending.didFirst) return { ...outcome, first: true };
  if (outcome.kind !== "reversed") return outcome;
  if (!outcome.replayed) pending.didFirst = outcome.reversedAtMs;
  return outcome.reversedAtMs === pending.didFirst ? { ...outcome, replayed: false } : outcome;
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener("abort", done, { once: true });
  });
}
