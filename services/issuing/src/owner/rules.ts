import type { RulesApplied } from "@coupon/events";
import { Mismatch, type OwnerContext } from "./owner-context.ts";
import type { Partition } from "./partition.ts";
import type { Shard } from "./shard.ts";

const CONFIRM_DELAY_MS_MAX = 1_000;

/**
 * Rules enter through the log: a batch's newest version becomes an entry of every shard, and is confirmed
 * to the operators' side once that entry is durable.
 */
export class RulesInForce {
  readonly #owner: OwnerContext;
  #toConfirm: RulesApplied[] = [];
  #confirming = false;
  #closed = false;

  constructor(owner: OwnerContext) {
    this.#owner = owner;
  }

  /** Puts the newest rules in force in a shard, where they are not yet. */
  enforce(partition: Partition, shard: Shard): void {
    const newest = this.#owner.resources.batches.rulesOf(shard.address);
    if (newest === null || shard.recovering) return;
    if (Math.max(shard.rulesVersion, shard.rulesQueued) >= newest.rules.version) return;
    this.#queue(partition, shard, newest.rules.version);
  }

  /**
   * As `enforce`, and confirms rules that are in force already: an earlier owner may have died before it could. The
   * script is asked again, for it alone knows by how much a decrease falls short.
   */
  confirm(partition: Partition, shard: Shard): void {
    const newest = this.#owner.resources.batches.rulesOf(shard.address);
    if (newest === null || shard.recovering) return;
    this.#queue(partition, shard, Math.max(shard.rulesVersion, newest.rules.version));
  }

  close(): void {
    this.#closed = true;
  }

  #queue(partition: Partition, shard: Shard, version: number): void {
    shard.rulesQueued = version;
    shard.jobs.push({ run: () => this.#change(partition, shard) });
    this.#owner.pump(partition, shard);
  }

  async #change(partition: Partition, shard: Shard): Promise<void> {
    const newest = this.#owner.resources.batches.rulesOf(shard.address);
    if (newest === null) return;
    const { rules } = newest;
    const { generation } = partition;
    const result = await this.#owner.resources.calls.changeRules(
      shard.address,
      shard.expectation(partition.epoch),
      rules,
    );
    if (result.kind === "mismatch") throw new Mismatch(shard, result.found);
    if (partition.generation !== generation) return;
    shard.rulesVersion = Math.max(shard.rulesVersion, rules.version);
    this.#owner.applied({ partition, shard }, result, "rules");
    const shortBy = result.outcomes[0]?.shortBy ?? 0;
    shard.whenDurable(result.number, () => this.#confirm(partition, shard, shortBy));
  }

  #confirm(partition: Partition, shard: Shard, shortBy: number): void {
    const newest = this.#owner.resources.batches.rulesOf(shard.address);
    if (newest === null) return;
    this.#toConfirm.push({
      v: 1,
      batchId: newest.batchId,
      batchNumber: shard.address.batch,
      version: shard.rulesVersion,
      shard: shard.address.shard,
      shards: newest.shards,
      shortBy,
      partition: partition.id,
      offset: shard.durableOffset,
    });
    if (!this.#confirming) void this.#publish();
  }

  async #publish(): Promise<void> {
    this.#confirming = true;
    let delayMs = 20;
    while (this.#toConfirm.length > 0 && !this.#closed) {
      const messages = this.#toConfirm.splice(0, 1_000);
      try {
        await this.#owner.resources.publish("rules-applied", messages);
        delayMs = 20;
      } catch (error) {
        this.#toConfirm = messages.concat(this.#toConfirm);
        this.#owner.resources.logger.warn(
          { because: (error as Error).message },
          "rules in force could not be confirmed",
        );
        await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
        delayMs = Math.min(delayMs * 2, CONFIRM_DELAY_MS_MAX);
      }
    }
    this.#confirming = false;
  }
}
