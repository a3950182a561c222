import type { CouponRecord } from "@coupon/redis";
import type { NoOutcome, Operation } from "./operation.ts";
import { Mismatch, type OwnerContext, type ShardTurn } from "./owner-context.ts";
import type { Pending } from "./pending.ts";

type ColdRecord = { serial: number; record: CouponRecord };
type CouponOperation = Extract<Operation, { op: "lock" | "redeem" | "release" | "reverse" | "deactivate" }>;

/**
 * Loads the records of coupons that are no longer warm. The ledger must have applied everything up to the
 * shard's last entry first; where it does not get there in time, the operations are told `ledger_behind`; where
 * PostgreSQL is away, `ledger_unavailable`; where it is Redis that does not take the records, that the shard recovers.
 */
export class ColdRecords {
  readonly #owner: OwnerContext;
  /** What is loaded, and what it is told where that takes too long. */
  readonly #loading = new Map<Pending[], NoOutcome>();

  constructor(owner: OwnerContext) {
    this.#owner = owner;
  }

  load(turn: ShardTurn, pendings: Pending[]): void {
    this.#loading.set(pendings, { kind: "ledger_behind" });
    this.#load(turn, pendings)
      .catch((error: unknown) => {
        this.#owner.resources.logger.warn({ because: (error as Error).message }, "cold records could not be loaded");
        for (const pending of pendings) pending.fail({ kind: "ledger_unavailable" });
      })
      .finally(() => this.#loading.delete(pendings));
  }

  /** Answers what has waited since before `beforeMs`, be it for the ledger or for its shard: nothing was done for it. */
  expire(beforeMs: number): void {
    for (const [pendings, late] of this.#loading) {
      for (const pending of pendings) if (pending.arrivedAtMs < beforeMs) pending.fail(late);
    }
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
    this.#loading.set(pendings, { kind: "recovering" });
    const users = new Map(records.map(({ serial, record }) => [serial, record.userId]));
    for (const pending of fresh) {
      pending.warmed = true;
      pending.userOnRecord = users.get((pending.operation as CouponOperation).request.serial) ?? null;
    }
    const current = partition.shard(shard.address);
    if (current !== undefined && partition.phase !== "closed" && records.length > 0) {
      await this.#warm({ partition, shard: current }, records);
    }
    this.#owner.requeue(turn, fresh);
  }

  /** Gives records back to Redis in the shard's turn; resolves also where it does not come to that, or fails. */
  #warm({ partition, shard }: ShardTurn, records: ColdRecord[]): Promise<void> {
    return new Promise((resolve) => {
      const run = async () => {
        try {
          const expect = shard.expectation(partition.epoch);
          const result = await this.#owner.resources.calls.warm(shard.address, expect, records);
          if (result.kind === "mismatch") throw new Mismatch(shard, result.found);
        } finally {
          resolve();
        }
      };
      shard.jobs.push({ run, abandon: resolve });
      this.#owner.pump(partition, shard);
    });
  }
}
