import type { RulesApplied } from "@coupon/events";
import { Mismatch, type OwnerContext } from "./owner-context.ts";
import type { Partition } from "./partition.ts";
import type { Shard } from "./shard.ts";
import type { StockTransfers } from "./stock-transfers.ts";

const CONFIRM_DELAY_MS_MAX = 1_000;
const COVER_DELAY_MS_MIN = 10;
const COVER_DELAY_MS_MAX = 1_000;

/**
 * Rules enter through the log: a batch's newest version becomes an entry of every shard, and is confirmed
 * to the operators' side once that entry is durable. A decrease leaves a shard short where it has issued more than its new
 * part: it gets the difference from the others first, and confirms a shortage only where all have issued too many.
 */
export class RulesInForce {
  readonly #owner: OwnerContext;
  readonly #transfers: StockTransfers;
  readonly #covering = new WeakSet<Shard>();
  readonly #coverDelays = new WeakMap<Shard, number>();
  #toConfirm: RulesApplied[] = [];
  #confirming = false;
  #closed = false;

  constructor(owner: OwnerContext, transfers: StockTransfers) {
    this.#owner = owner;
    this.#transfers = transfers;
  }

  /** Puts the newest rules in force in a shard, where they are not yet. */
  enforce(partition: Partition, shard: Shard): void {
    const newest = this.#owner.resources.batches.rulesOf(shard.address);
    if (newest === null || shard.standing !== "serving") return;
    if (Math.max(shard.rulesVersion, shard.rulesQueued) >= newest.rules.version) return;
    this.#queue(partition, shard, newest.rules.version);
  }

  /**
   * As `enforce`, and confirms rules that are in force already: an earlier owner may have died before it could. The
   * script is asked again, for it alone knows by how much a decrease falls short.
   */
  confirm(partition: Partition, shard: Shard): void {
    const newest = this.#owner.resources.batches.rulesOf(shard.address);
    if (newest === null || shard.standing !== "serving") return;
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
    const version = shard.rulesVersion;
    const shortBy = result.outcomes[0]?.shortBy ?? 0;
    shard.whenDurable(result.number, () => {
      // A newer version that is not durable yet is confirmed, with what it is short by, when it is.
      if (shard.rulesVersion === version) this.#settle(partition, shard, shortBy);
    });
  }

  /** Confirms rules that are in force, once a shard that is short of stock has got it from the others, if they have it. */
  #settle(partition: Partition, shard: Shard, shortBy: number): void {
    const alone = this.#owner.resources.batches.shardsOf(shard.address.batch).length <= 1;
    if (shortBy === 0 || alone || shard.shortAtVersion === shard.rulesVersion) {
      this.#coverDelays.delete(shard);
      this.#confirm(partition, shard, shortBy);
    } else if (!this.#covering.has(shard)) void this.#cover(partition, shard, shortBy);
    // Else it is being covered for an older version: what follows asks the script for the newest.
  }

  /** Then the script is asked again, for only it knows what is short by now. */
  async #cover(partition: Partition, shard: Shard, shortBy: number): Promise<void> {
    const { generation } = partition;
    const version = shard.rulesVersion;
    this.#covering.add(shard);
    const covered = await this.#transfers.cover({ partition, shard }, shortBy).catch((error: unknown) => {
      const because = (error as Error).message;
      this.#owner.resources.logger.warn({ because, shard: shard.key }, "a shard that is short got no stock");
      return "not_now" as const;
    });
    if (covered === "short") shard.shortAtVersion = version;
    if (covered === "not_now") await this.#pause(shard);
    this.#covering.delete(shard);
    if (this.#closed || partition.generation !== generation) return;
    this.#queue(partition, shard, Math.max(version, shard.rulesQueued));
  }

  /** Waits before the shards are asked again, longer each time. */
  async #pause(shard: Shard): Promise<void> {
    const delayMs = this.#coverDelays.get(shard) ?? COVER_DELAY_MS_MIN;
    this.#coverDelays.set(shard, Math.min(delayMs * 2, COVER_DELAY_MS_MAX));
    await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
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
