import { partitionOf } from "@coupon/domain";
import type { ShardAddress } from "@coupon/redis";
import { type OpenedShard, type OpenResources, openPartition } from "./open.ts";
import { Mismatch, type OwnerContext, type ShardTurn } from "./owner-context.ts";
import { Partition } from "./partition.ts";
import { rebuildShard } from "./rebuild.ts";
import type { RebuildPace } from "./rebuild-pace.ts";
import type { RulesInForce } from "./rules.ts";
import type { Sender } from "./sender.ts";
import { Shard } from "./shard.ts";

const REOPEN_DELAY_MS_MIN = 50;
const REOPEN_DELAY_MS_MAX = 2_000;

/**
 * The partitions that this process owns, from taking one to giving it up: opens them, opens them again where anything
 * was not as expected, and has lost shards built anew.
 */
export class OwnedPartitions {
  readonly #owner: OwnerContext;
  readonly #rules: RulesInForce;
  readonly #pace: RebuildPace;
  readonly #opening: OpenResources;
  readonly #partitions = new Map<number, Partition>();
  readonly #closed = new AbortController();

  constructor(owner: OwnerContext, sender: Sender, rules: RulesInForce, pace: RebuildPace) {
    this.#owner = owner;
    this.#rules = rules;
    this.#pace = pace;
    this.#opening = { ...owner.resources, appender: sender };
  }

  ids(): number[] {
    return [...this.#partitions.keys()];
  }

  all(): Iterable<Partition> {
    return this.#partitions.values();
  }

  get(id: number): Partition | undefined {
    return this.#partitions.get(id);
  }

  of({ batch, shard }: ShardAddress): Partition | undefined {
    return this.#partitions.get(partitionOf(batch, shard, this.#owner.resources.partitions));
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
    while (wasServing && partition.phase === "draining" && !partition.idle && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    partition.phase = "closed";
    partition.generation += 1;
    this.#partitions.delete(id);
    for (const shard of partition.shards.values()) {
      for (const pending of shard.retire()) pending.fail({ kind: "not_owner", attempted: pending.attempted });
    }
  }

  /**
   * Opens a partition again: what it had promised nobody is asked again when it serves. One that is being given up is
   * left as it is to its next owner: what it still has must not be sent, for an entry before it may be missing.
   */
  reopen(partition: Partition, because: string): void {
    if (partition.phase === "draining") {
      this.#owner.resources.logger.warn({ partition: partition.id, because }, "partition is given up as it is");
      partition.phase = "closed";
      partition.generation += 1;
      partition.dropOutgoing();
    }
    if (partition.phase !== "serving") return;
    this.#owner.resources.logger.warn({ partition: partition.id, because }, "partition is opened again");
    this.#owner.resources.metrics.reopened();
    partition.phase = "opening";
    partition.generation += 1;
    partition.dropOutgoing();
    for (const shard of partition.shards.values()) shard.opened = false;
    void this.#openUntilServing(partition);
  }

  /** Gives all partitions up; what waits to be opened is let go. */
  async close(): Promise<void> {
    await Promise.all(this.ids().map((id) => this.giveUp(id, this.#owner.resources.deadlineMs)));
    this.#closed.abort();
  }

  async #openUntilServing(partition: Partition): Promise<void> {
    const { generation } = partition;
    const startedAt = performance.now();
    let delayMs = REOPEN_DELAY_MS_MIN;
    const isOpening = () => partition.generation === generation && partition.phase === "opening";
    while (isOpening()) {
      try {
        // A script call of before may still be on its way; its answer must not meet the new state.
        while (isOpening() && [...partition.shards.values()].some(({ running }) => running)) {
          await pause(2, this.#closed.signal);
        }
        if (!isOpening()) return;
        if (!(await this.#owner.resources.holdsLease(partition.id))) return void this.giveUp(partition.id, 0);
        await this.#open(partition, generation);
        this.#owner.resources.metrics.opened((performance.now() - startedAt) / 1000);
      } catch (error) {
        this.#owner.resources.logger.warn(
          { partition: partition.id, because: (error as Error).message },
          "opening failed",
        );
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
    for (const address of this.#shardsIn(partition)) this.adoptNew(partition, address);
    for (const shard of partition.shards.values()) {
      if (shard.recovering) void this.#rebuild(partition, shard);
      else this.#rules.confirm(partition, shard);
      this.#owner.pump(partition, shard);
    }
  }

  #shardsIn(partition: Partition): ShardAddress[] {
    const { batches, partitions } = this.#owner.resources;
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
  adoptNew(partition: Partition, address: ShardAddress): void {
    const before = partition.shard(address);
    if (before?.opened === true) return;
    const shard = partition.add(emptyShard(address));
    shard.opened = true;
    if (before !== undefined) shard.putBack(before.retire());
    const run = async () => {
      const opened = await this.#owner.resources.calls.open(address, null, partition.epoch);
      if (!opened) throw new Mismatch(shard, null);
    };
    shard.jobs.push({ run });
    this.#rules.enforce(partition, shard);
    this.#owner.pump(partition, shard);
  }

  /** A correction of hot state: once its entry is durable, the shard is built anew from the ledger, in a turn of its own. */
  rebuildWhenDurable({ partition, shard }: ShardTurn, number: number): void {
    const run = async () => {
      shard.recovering = true;
      void this.#rebuild(partition, shard);
    };
    shard.whenDurable(number, () => {
      shard.jobs.push({ run });
      this.#owner.pump(partition, shard);
    });
  }

  async #rebuild(partition: Partition, shard: Shard): Promise<void> {
    const { generation } = partition;
    const stillMine = () => partition.generation === generation;
    const rebuilt = await rebuildShard(this.#owner.resources, this.#pace, partition, shard, stillMine);
    if (!rebuilt || partition.generation !== generation) return;
    shard.recovering = false;
    this.#rules.confirm(partition, shard);
    this.#owner.pump(partition, shard);
  }
}

/** A shard of which only the definition is known. */
export function emptyShard(address: ShardAddress): Shard {
  return new Shard(address, { number: 0, hash: "", durableOffset: -1, rulesVersion: 0 });
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
