import { createHash } from "node:crypto";
import type { Leases, Member } from "@coupon/redis";
import type { Logger } from "@coupon/service-kit";
import type { Owner } from "./owner.ts";

export interface LeaseResources {
  leases: Leases;
  processId: string;
  /** Where other processes reach this one's internal port. */
  address: string;
  partitions: number;
  ttlMs: number;
  logger: Logger;
  /** Told in every round where the processes are that hold leases. */
  owners(addresses: ReadonlySet<string>): void;
}

/**
 * Decides which partitions this process owns, and knows where the others are. A lease is for liveness alone:
 * no answer rests on it. Every process computes the same wish (rendezvous hashing over the live members),
 * takes free partitions that it is wished for, and hands over those that another one is.
 */
export class LeaseKeeper {
  readonly #resources: LeaseResources;
  readonly #owner: Owner | null;
  readonly #held = new Set<number>();
  #members = new Map<string, string>();
  #owners: (string | null)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();
  #refreshing: Promise<void> | null = null;
  #away = false;
  #stopping = false;

  constructor(resources: LeaseResources, owner: Owner | null) {
    this.#resources = resources;
    this.#owner = owner;
  }

  /** Runs the first round at once; resolves when it is over. */
  async start(): Promise<void> {
    await this.#roundOnce();
    this.#schedule();
  }

  /** Address of the partition's owner; null where nobody has it that is known. */
  ownerAddress(partition: number): string | null {
    const owner = this.#owners[partition];
    return owner == null ? null : (this.#members.get(owner) ?? null);
  }

  /** Looks again who owns what, for an owner has turned out to be gone. Those who ask at once share one look. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#resources.leases
      .owners(this.#resources.partitions)
      .then(
        (owners) => {
          this.#owners = owners;
        },
        () => undefined,
      )
      .finally(() => {
        this.#refreshing = null;
      });
    return this.#refreshing;
  }

  async holds(partition: number): Promise<boolean> {
    const { leases, processId, ttlMs } = this.#resources;
    return leases.acquire(partition, processId, ttlMs);
  }

  /** Hands every partition over and leaves. */
  async stop(withinMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    await this.#round;
    await this.#resources.leases.leave(this.#resources.processId).catch(() => undefined);
    await Promise.all([...this.#held].map((partition) => this.#handOver(partition, withinMs)));
  }

  #schedule(): void {
    if (this.#stopping) return;
    this.#timer = setTimeout(() => {
      this.#round = this.#roundOnce().finally(() => this.#schedule());
    }, this.#resources.ttlMs / 5);
    this.#timer.unref();
  }

  async #roundOnce(): Promise<void> {
    const { leases, processId, address, partitions, ttlMs, logger } = this.#resources;
    try {
      if (this.#owner !== null) await leases.join(processId, address, ttlMs);
      const members = await leases.members();
      this.#members = new Map(members.map((member) => [member.processId, member.address]));
      if (this.#owner !== null) await this.#keep(members, this.#owner);
      this.#owners = await leases.owners(partitions);
      this.#resources.owners(new Set(this.#addresses()));
      this.#away = false;
    } catch (error) {
      if (!this.#away) logger.warn({ because: (error as Error).message }, "leases can't be renewed");
      this.#away = true;
    }
  }

  *#addresses(): Generator<string> {
    for (const owner of new Set(this.#owners)) {
      const at = owner === null ? undefined : this.#members.get(owner);
      if (at !== undefined) yield at;
    }
  }

  async #keep(members: Member[], owner: Owner): Promise<void> {
    const { leases, processId, partitions, ttlMs } = this.#resources;
    if (this.#held.size > 0) {
      const kept = new Set(await leases.renew([...this.#held], processId, ttlMs));
      for (const partition of this.#held) {
        if (kept.has(partition)) continue;
        this.#held.delete(partition);
        void owner.giveUp(partition, 0);
      }
    }
    const owners = await leases.owners(partitions);
    for (let partition = 0; partition < partitions && !this.#stopping; partition += 1) {
      const wished = wishedOwner(partition, members);
      if (this.#held.has(partition)) {
        if (wished !== null && wished !== processId) void this.#handOver(partition, ttlMs);
        // Its last hand-over may still have been under way when the lease came back.
        else owner.take(partition);
      } else if (wished === processId && owners[partition] === null) {
        if (await leases.acquire(partition, processId, ttlMs)) {
          this.#held.add(partition);
          owner.take(partition);
        }
      }
    }
  }

  async #handOver(partition: number, withinMs: number): Promise<void> {
    this.#held.delete(partition);
    await this.#owner?.giveUp(partition, withinMs);
    await this.#resources.leases.release(partition, this.#resources.processId).catch(() => undefined);
  }
}

/** Rendezvous hashing: the member with the greatest hash of (member, partition). */
export function wishedOwner(partition: number, members: Member[]): string | null {
  let best: string | null = null;
  let greatest = "";
  for (const { processId } of members) {
    const weight = createHash("sha256").update(`${processId}/${partition}`).digest("hex");
    if (weight > greatest) {
      greatest = weight;
      best = processId;
    }
  }
  return best;
}
