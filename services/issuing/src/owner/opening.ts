import { setTimeout as sleep } from "node:timers/promises";
import { partitionOf } from "@coupon/domain";
import type { ShardAddress } from "@coupon/redis";
import { within } from "../within.ts";
import { type Count, type CountedShard, countLog } from "./count-log.ts";
import { CountAgain, LaterOwner, LogGap, type OpenedShard, openShard } from "./open-shard.ts";
import type { OwnerContext } from "./owner-context.ts";
import type { Partition } from "./partition.ts";
import type { Sender } from "./sender.ts";
import { emptyShard, Shard } from "./shard.ts";

export interface OpeningHooks {
  /** The partition serves; its shards come one by one. */
  serving(): void;
  opened(shard: Shard): void;
  /** The shard is to be built anew from PostgreSQL. */
  lost(shard: Shard): void;
  leaseLost(): void;
  reopen(because: string): void;
}

const RETRY_DELAY_MS_MIN = 50;
const RETRY_DELAY_MS_MAX = 2_000;
const LEASE_WITHIN_MS = 500;

/**
 * One opening of a partition, which makes this process the only one whose entries count in it.
 *
 * 1. Append a marker; its offset E is the new epoch. From E on nothing of an earlier owner counts.
 * 2. Read the log up to E by the counting rule: L is the number of each shard's last counted entry. The partition serves.
 * 3. Bring each shard of Redis to L, each for itself (open-shard.ts): a shard that can't be reached, or of which L is not
 *    known, is tried again while the others serve.
 * 4. Compare-and-set the shard's epoch to E, send what Redis had ahead of the log, and serve the shard.
 *
 * docs/recovery.md has the argument; packages/model/spec/Recovery.tla is the specification that is checked.
 */
export class Opening {
  readonly #owner: OwnerContext;
  readonly #sender: Sender;
  readonly #partition: Partition;
  readonly #generation: number;
  readonly #hooks: OpeningHooks;
  readonly #closed: AbortSignal;
  readonly #uncounted = new Map<string, ShardAddress>();
  #isCounting = false;
  #countDelayMs = RETRY_DELAY_MS_MIN;
  #isWhole = false;

  constructor(owner: OwnerContext, sender: Sender, partition: Partition, hooks: OpeningHooks, closed: AbortSignal) {
    this.#owner = owner;
    this.#sender = sender;
    this.#partition = partition;
    this.#generation = partition.generation;
    this.#hooks = hooks;
    this.#closed = closed;
  }

  /** Whether a shard that this opening has not found has no entry in the log. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Goes on until the partition serves, or is not this opening's any more. */
  async run(): Promise<void> {
    const { logger } = this.#owner.resources;
    let delayMs = RETRY_DELAY_MS_MIN;
    while (this.#isMine("opening")) {
      try {
        if (!(await this.#holdsLease())) return this.#hooks.leaseLost();
        await this.#begin();
      } catch (error) {
        if (!this.#isMine("opening")) return;
        logger.warn({ partition: this.#partition.id, because: (error as Error).message }, "opening failed");
        await pause(delayMs, this.#closed);
        delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
      }
    }
  }

  /**
   * The leases may be where Redis hangs, and they decide who tries, never what is true: as long as there is no sign of
   * another owner, one that can't be asked for is taken for ours, or a single master would keep all shards waiting.
   */
  async #holdsLease(): Promise<boolean> {
    const { logger, holdsLease } = this.#owner.resources;
    const { id, overtaken } = this.#partition;
    try {
      return await within(holdsLease(id), LEASE_WITHIN_MS, "the lease's Redis");
    } catch (error) {
      if (overtaken) throw error;
      logger.warn({ partition: id, because: (error as Error).message }, "opening without asking for the lease");
      return true;
    }
  }

  /** A shard of which it is not known what counts: it waits until that is known, and is opened then. */
  wait(address: ShardAddress): void {
    const shard = this.#partition.shard(address) ?? this.#partition.add(emptyShard(address));
    shard.standing = "waiting";
    this.#uncounted.set(shard.key, address);
    if (!this.#isCounting) void this.#countRest();
  }

  async #begin(): Promise<void> {
    const { resources } = this.#owner;
    const startedAt = performance.now();
    const { id } = this.#partition;
    const marker = { v: 1, kind: "marker", owner: resources.processId, at: Date.now() } as const;
    const epoch = await this.#sender.appendMarker(id, marker, resources.appendTimeoutMs, () => this.#isMine("opening"));
    const count = await countLog(resources, id, epoch, shardsIn(this.#owner, id));
    if (!this.#isMine("opening")) return;
    this.#partition.epoch = epoch;
    this.#partition.lastOffset = epoch;
    this.#partition.overtaken = false;
    this.#partition.phase = "serving";
    void this.#take(count).then(() => {
      if (this.#isMine("serving")) resources.metrics.opened((performance.now() - startedAt) / 1000);
    });
    this.#hooks.serving();
  }

  /** Counts again, with pauses, as long as there is a shard of which it is not known what counts. */
  async #countRest(): Promise<void> {
    const { resources } = this.#owner;
    this.#isCounting = true;
    while (this.#uncounted.size > 0) {
      await pause(this.#countDelayMs, this.#closed);
      if (!this.#isMine("serving")) break;
      this.#countDelayMs = Math.min(this.#countDelayMs * 2, RETRY_DELAY_MS_MAX);
      const { id, epoch } = this.#partition;
      try {
        const count = await countLog(resources, id, epoch, [...this.#uncounted.values()]);
        if (this.#isMine("serving")) void this.#take(count);
      } catch (error) {
        resources.logger.warn({ partition: id, because: (error as Error).message }, "shards wait to be counted");
      }
    }
    this.#isCounting = false;
  }

  /** Opens what was counted and is not open; resolves when all of it is. */
  async #take({ shards, uncounted, isWhole }: Count): Promise<void> {
    this.#isWhole ||= isWhole;
    const opening: Promise<void>[] = [];
    for (const counted of shards) {
      const shard = this.#partition.shard(counted.address) ?? this.#partition.add(emptyShard(counted.address));
      if (!this.#uncounted.delete(shard.key) && shard.standing !== "defined") continue;
      shard.standing = "waiting";
      opening.push(this.#open(counted));
    }
    for (const address of uncounted) this.wait(address);
    await Promise.all(opening);
  }

  async #open(counted: CountedShard): Promise<void> {
    const { calls, logger } = this.#owner.resources;
    const { batch, shard } = counted.address;
    let delayMs = RETRY_DELAY_MS_MIN;
    while (this.#isMine("serving")) {
      try {
        const opened = await openShard(calls, this.#partition.epoch, counted);
        if (this.#isMine("serving")) this.#adopt(opened);
        return;
      } catch (error) {
        if (!this.#isMine("serving")) return;
        const because = (error as Error).message;
        if (delayMs === RETRY_DELAY_MS_MIN) logger.warn({ shard: `${batch}.${shard}`, because }, "a shard waits");
        // A gap need not be one of the log: a floor may lie below what was read from.
        if (error instanceof CountAgain || error instanceof LogGap) return this.wait(counted.address);
        await pause(delayMs, this.#closed);
        delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
        if (!(error instanceof LaterOwner) || !this.#isMine("serving")) continue;
        this.#partition.overtaken = true;
        return this.#hooks.reopen(because);
      }
    }
  }

  /** Makes the shard as it was found, sends what the log has not got, and asks anew what had no answer. */
  #adopt(found: OpenedShard): void {
    const partition = this.#partition;
    const before = partition.shard(found.address);
    const durableOffset = found.durable === 0 ? -1 : partition.epoch;
    const shard = partition.add(new Shard(found.address, { ...found, durableOffset }));
    shard.standing = found.rebuild ? "rebuilding" : "serving";
    if (before !== undefined) shard.putBack(before.retire());
    for (const entry of found.ahead) this.#sender.enqueue(partition, { shard, ...entry });
    if (found.rebuild) this.#hooks.lost(shard);
    else this.#hooks.opened(shard);
  }

  #isMine(phase: "opening" | "serving"): boolean {
    return this.#partition.generation === this.#generation && this.#partition.phase === phase;
  }
}

/** The shards of published batches that are in a partition. */
export function shardsIn({ resources }: OwnerContext, partition: number): ShardAddress[] {
  const { batches, partitions } = resources;
  return batches.shards().filter(({ batch, shard }) => partitionOf(batch, shard, partitions) === partition);
}

/** Ends early, and as if it had lasted, where the owner closes. */
const pause = (delayMs: number, signal: AbortSignal): Promise<void> =>
  sleep(delayMs, undefined, { signal }).catch(() => undefined);
