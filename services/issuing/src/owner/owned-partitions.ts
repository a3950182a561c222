import { partitionOf } from "@coupon/domain";
import type { ShardAddress } from "@coupon/redis";
import { Opening, shardsIn } from "./opening.ts";
import { Mismatch, type OwnerContext, type ShardTurn } from "./owner-context.ts";
import { Partition } from "./partition.ts";
import { rebuildShard } from "./rebuild.ts";
import type { RebuildPace } from "./rebuild-pace.ts";
import type { RulesInForce } from "./rules.ts";
import type { Sender } from "./sender.ts";
import { emptyShard, type Shard } from "./shard.ts";

/**
 * The partitions that this process owns, from taking one to giving it up: opens them, opens them again where anything
 * was not as expected, and has lost shards built anew.
 */
export class OwnedPartitions {
  readonly #owner: OwnerContext;
  readonly #rules: RulesInForce;
  readonly #pace: RebuildPace;
  readonly #sender: Sender;
  readonly #partitions = new Map<number, Partition>();
  readonly #openings = new WeakMap<Partition, Opening>();
  readonly #closed = new AbortController();

  constructor(owner: OwnerContext, sender: Sender, rules: RulesInForce, pace: RebuildPace) {
    this.#owner = owner;
    this.#rules = rules;
    this.#pace = pace;
    this.#sender = sender;
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
    this.#open(partition);
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
    for (const shard of partition.shards.values()) shard.standing = "defined";
    this.#open(partition);
  }

  /** Gives all partitions up; what waits to be opened is let go. */
  async close(): Promise<void> {
    await Promise.all(this.ids().map((id) => this.giveUp(id, this.#owner.resources.deadlineMs)));
    this.#closed.abort();
  }

  #open(partition: Partition): void {
    const opening: Opening = new Opening(
      this.#owner,
      this.#sender,
      partition,
      {
        // Batches may have been published while it was opened.
        serving: () => {
          for (const address of shardsIn(this.#owner, partition.id)) this.adoptNew(partition, address);
        },
        opened: (shard) => {
          this.#rules.confirm(partition, shard);
          this.#owner.pump(partition, shard);
        },
        lost: (shard) => void this.#rebuild(partition, shard),
        leaseLost: () => void this.giveUp(partition.id, 0),
        reopen: (because) => this.reopen(partition, because),
      },
      this.#closed.signal,
    );
    this.#openings.set(partition, opening);
    void opening.run();
  }

  /** A shard of a batch that was published after the opening begins empty, under the same epoch; if it is that new. */
  adoptNew(partition: Partition, address: ShardAddress): void {
    const before = partition.shard(address);
    if (before !== undefined && before.standing !== "defined") return;
    const opening = this.#openings.get(partition);
    if (opening?.isWhole === false) {
      opening.wait(address);
      return;
    }
    const shard = partition.add(emptyShard(address));
    shard.standing = "serving";
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
      shard.standing = "rebuilding";
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
    shard.standing = "serving";
    this.#rules.confirm(partition, shard);
    this.#owner.pump(partition, shard);
  }
}
