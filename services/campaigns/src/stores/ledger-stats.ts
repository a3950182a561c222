import { type Breaker, createBreaker, type InternalAnswer, type InternalHttp } from "@coupon/service-kit";
import type { Registry } from "prom-client";
import Type, { type Static, type TSchema } from "typebox";
import Value from "typebox/value";
import { instant, money } from "../schemas/common.ts";
import { done, type Outcome, refused } from "./transact.ts";

/**
 * What the ledger has counted of a batch, up to `asOf`: `cost` is what redemptions took off less what
 * reversals gave back, `liability` the most that the coupons still out can take off.
 */
export const batchStatsSchema = Type.Object({
  issued: Type.Integer(),
  redeemed: Type.Integer(),
  reversed: Type.Integer(),
  cost: money,
  liability: money,
  asOf: instant,
});

export type BatchStats = Static<typeof batchStatsSchema>;

const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** What a batch has used of what was reserved for it, as of what the ledger has applied. Money in minor units. */
export const batchUseSchema = Type.Object({
  /** Whether nothing is issued any more, on any shard. */
  ended: Type.Boolean(),
  issued: count,
  /** Coupons that may be redeemed, now or, once a reversal brings them back, again. */
  open: count,
  /** What the coupons that are over have cost. */
  overCost: count,
  /** Coupons that are not over yet. */
  waiting: count,
  /** An entry of every shard from this instant on makes certain what has expired; null where it is. */
  doubtfulUntil: Type.Union([instant, Type.Null()]),
});

export type BatchUse = Static<typeof batchUseSchema>;

export interface LedgerStats {
  /** Refused: `ledger_unavailable`. `traceparent` is of the trace that it is part of. */
  of(batchNumber: number, traceparent: string): Promise<Outcome<BatchStats>>;
  /** Refused: `ledger_unavailable`. */
  use(batchNumber: number): Promise<Outcome<BatchUse>>;
  close(): Promise<void>;
}

/** The ledger service's own counts, behind a breaker. */
export function createLedgerStats(http: InternalHttp, options: { timeoutMs: number; registry: Registry }): LedgerStats {
  const read = (batchNumber: number, what: "stats" | "use", traceparent?: string) =>
    http.request("GET", `/internal/v1/batches/${batchNumber}/${what}`, { traceparent });
  const breaker: Breaker<[number, "stats" | "use", string?], InternalAnswer> = createBreaker(read, {
    name: "ledger",
    ...options,
  });
  async function ask<Schema extends TSchema>(
    batchNumber: number,
    what: "stats" | "use",
    schema: Schema,
    traceparent?: string,
  ): Promise<Outcome<Static<Schema>>> {
    const answer = await breaker.call(batchNumber, what, traceparent);
    if (!answer.ok || answer.value.status !== 200 || !Value.Check(schema, answer.value.body)) {
      return refused({ code: "ledger_unavailable" });
    }
    return done(answer.value.body as Static<Schema>);
  }
  return {
    of: (batchNumber, traceparent) => ask(batchNumber, "stats", batchStatsSchema, traceparent),
    use: (batchNumber) => ask(batchNumber, "use", batchUseSchema),
    async close() {
      breaker.close();
      await http.close();
    },
  };
}
