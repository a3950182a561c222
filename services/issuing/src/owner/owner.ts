import type { EntryKind } from "@coupon/domain";
import { ColdRecords } from "./cold-records.ts";
import { isExpected, MicroBatches } from "./micro-batches.ts";
import type { Answer, NoOutcome, Operation } from "./operation.ts";
import { OwnedPartitions } from "./owned-partitions.ts";
import {
  type AppliedEntry,
  Mismatch,
  type OwnerContext,
  type OwnerResources,
  type ShardTurn,
} from "./owner-context.ts";
import type { Partition } from "./partition.ts";
import { Pending } from "./pending.ts";
import { RebuildPace } from "./rebuild-pace.ts";
import { askRecord } from "./retention-guard.ts";
import { RulesInForce } from "./rules.ts";
import { Sender } from "./sender.ts";
import { emptyShard, type Shard } from "./shard.ts";
import { StockTransfers } from "./stock-transfers.ts";

/** Share of what may be pending at which an operation is refused, so that claims, also forwarded ones, leave room. */
const pendingShare: Partial<Record<Operation["op"], number>> = { claim: 0.9, lock: 0.95 };
const SWEEP_MS = 50;

/**
 * The owner of the shards in this process's partitions. Read this file first: `submit` queues an operation, `pump`
 * applies a micro-batch by one script call (micro-batches.ts), the sender makes its entry durable, the shard answers.
 * Opening partitions, and giving them up, is in owned-partitions.ts.
 */
export class Owner implements OwnerContext {
  readonly resources: OwnerResources;
  readonly sender: Sender;
  readonly #partitions: OwnedPartitions;
  readonly #microBatches: MicroBatches;
  readonly #rules: RulesInForce;
  readonly #transfers: StockTransfers;
  readonly #cold: ColdRecords;
  readonly #sweep: NodeJS.Timeout;
  readonly #due = new Map<Shard, Partition>();
  readonly #pending = { count: 0 };

  constructor(resources: OwnerResources) {
    this.resources = resources;
    this.sender = new Sender(resources.appender, resources.appendTimeoutMs, {
      handedOver: (partition, shard) => this.pump(partition, shard),
      suspect: (partition, because) => this.#partitions.reopen(partition, because),
      sent: (entries, seconds) => resources.metrics.sent(entries, seconds),
    });
    this.#transfers = new StockTransfers(this);
    this.#cold = new ColdRecords(this);
    const pace = new RebuildPace();
    this.#rules = new RulesInForce(this, this.#transfers);
    this.#partitions = new OwnedPartitions(this, this.sender, this.#rules, pace);
    this.#microBatches = new MicroBatches(this, {
      cold: this.#cold,
      transfers: this.#transfers,
      pace,
      rebuildWhenDurable: (turn, number) => this.#partitions.rebuildWhenDurable(turn, number),
    });
    this.#sweep = setInterval(() => this.#expire(), SWEEP_MS);
    this.#sweep.unref();
  }

  get pending(): number {
    return this.#pending.count;
  }

  partitionIds(): number[] {
    return this.#partitions.ids();
  }

  serving(): Iterable<Partition> {
    return [...this.#partitions.all()].filter(({ phase }) => phase === "serving");
  }

  /** Shards of the partitions that serve which don't. */
  shardsWaiting(): Record<"waiting" | "rebuilding", number> {
    const counts = { waiting: 0, rebuilding: 0 };
    for (const { shards } of this.serving()) {
      for (const { standing } of shards.values()) if (standing in counts) counts[standing as keyof typeof counts] += 1;
    }
    return counts;
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
    const partition = this.#partitions.of(operation);
    const refusal = this.#refusal(partition, operation);
    const shard = partition === undefined || refusal !== null ? undefined : this.#shardFor(partition, operation);
    if (partition === undefined || shard === undefined || asksInVain(partition, shard, operation)) {
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
    this.#partitions.take(id);
  }

  /** Hands a partition over: finishes what is under way, bounded in time, and answers nothing more. */
  giveUp(id: number, withinMs: number): Promise<void> {
    return this.#partitions.giveUp(id, withinMs);
  }

  /** The operators changed a batch: its rules enter every shard of it that is here. */
  batchChanged(batch: number): void {
    for (const address of this.resources.batches.shardsOf(batch)) {
      const partition = this.#partitions.of(address);
      if (partition?.phase !== "serving") continue;
      this.#partitions.adoptNew(partition, address);
      const shard = partition.shard(address);
      if (shard !== undefined) this.#rules.enforce(partition, shard);
    }
  }

  async close(): Promise<void> {
    await this.#partitions.close();
    clearInterval(this.#sweep);
    this.#rules.close();
  }

  /** Starts the shard's next script call, where it is free for one. */
  pump(partition: Partition, shard: Shard): void {
    if (!serves(partition, shard) || shard.running || shard.unsent > 0) return;
    const job = shard.jobs.shift();
    const turn = job === undefined ? this.#microBatches.next(partition, shard) : () => job.run();
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
    for (const pending of pendings)
      if (pending.arrivedAtMs < overdue) pending.fail(lateAnswer(pending, serves(partition, shard)));
    const current = partition.shard(shard.address) ?? shard;
    current.putBack(pendings);
    this.pump(partition, current);
  }

  #turnEnded(partition: Partition, shard: Shard): void {
    shard.running = false;
    this.pump(partition, shard);
  }

  #turnFailed(partition: Partition, generation: number, error: unknown): void {
    if (!isExpected(error))
      this.resources.logger.error({ err: error, partition: partition.id }, "a script call failed");
    if (partition.generation !== generation) return;
    partition.overtaken ||= error instanceof Mismatch;
    this.#partitions.reopen(partition, (error as Error).message);
  }

  #expire(): void {
    const now = performance.now();
    const { deadlineMs, patienceMs } = this.resources;
    this.#transfers.expire(now - deadlineMs);
    this.#cold.expire(now - deadlineMs);
    for (const partition of this.#partitions.all()) {
      for (const shard of partition.shards.values()) {
        if (shard.queued === 0 && shard.idle) continue;
        shard.expire(now - deadlineMs, (pending) => lateAnswer(pending, serves(partition, shard)));
        if (!serves(partition, shard) && partition.phase !== "draining")
          shard.expireUnattempted(now - patienceMs, { kind: "recovering" });
      }
    }
  }
}

/** Whoever looks for stock goes on to the next shard, and does not wait for one that is away. */
function asksInVain(partition: Partition, shard: Shard, { op }: Operation): boolean {
  return op === "debit" && partition.phase === "serving" && shard.standing !== "serving";
}

function serves(partition: Partition, shard: Shard): boolean {
  return partition.phase === "serving" && shard.standing === "serving";
}

function lateAnswer(pending: Pending, isServing: boolean): NoOutcome {
  if (!pending.attempted) return { kind: isServing ? "overloaded" : "recovering" };
  return { kind: "unknown", because: isServing ? "deadline_exceeded" : "log_unavailable" };
}
