import type { Operation } from "./operation.ts";
import { Mismatch, type OwnerContext, type ShardTurn } from "./owner-context.ts";
import type { Pending } from "./pending.ts";

type CouponOperation = Extract<Operation, { op: "lock" | "redeem" | "release" | "reverse" }>;

/**
 * Loads the records of coupons that are no longer warm. The ledger must have applied everything up to the
 * shard's last entry first; where it does not get there in time, the operations are told `ledger_behind`.
 */
export class ColdRecords {
  readonly #owner: OwnerContext;

  constructor(owner: OwnerContext) {
    this.#owner = owner;
  }

  load(turn: ShardTurn, pendings: Pending[]): void {
    this.#load(turn, pendings).catch((error: unknown) => {
      this.#owner.resources.logger.warn({ because: (error as Error).message }, "cold records could not be loaded");
      for (const pending of pendings) pending.fail({ kind: "ledger_behind" });
    });
  }

  async #load(turn: ShardTurn, pendings: Pending[]): Promise<void> {
    const { partition, shard } = turn;
    const fresh = pendings.filter((pending) => !pending.warmed);
    // Loaded and cold again: something else happens to the coupon, or Redis loses what it is given.
    for (const pending of pendings) if (pending.warmed) pending.fail({ kind: "recovering" });
    const serials = [...new Set(fresh.map(({ operation }) => (operation as CouponOperation).request.serial))];
    if (serials.length === 0) return;
    const within = this.#owner.resources.patienceMs;
    const records = await this.#owner.resources.recovery.records(shard.address, serials, shard.durable, within);
    if (records === null) {
      for (const pending of fresh) pending.fail({ kind: "ledger_behind" });
      return;
    }
    for (const pending of fresh) pending.warmed = true;
    const current = partition.shard(shard.address);
    if (current === undefined || partition.phase === "closed" || records.length === 0) {
      this.#owner.requeue(turn, fresh);
      return;
    }
    const askAgain = () => this.#owner.requeue(turn, fresh);
    const run = async () => {
      try {
        const expect = current.expectation(partition.epoch);
        const result = await this.#owner.resources.calls.warm(current.address, expect, records);
        if (result.kind === "mismatch") throw new Mismatch(current, result.found);
      } finally {
        askAgain();
      }
    };
    current.jobs.push({ run, abandon: askAgain });
    this.#owner.pump(partition, current);
  }
}
