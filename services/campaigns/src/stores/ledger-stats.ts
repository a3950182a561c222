import { type Breaker, createBreaker } from "@coupon/service-kit";
import type { Registry } from "prom-client";
import Type, { type Static } from "typebox";
import Value from "typebox/value";
import { instant, money } from "../schemas/common.ts";
import type { InternalAnswer, InternalHttp } from "./internal-http.ts";
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

export interface LedgerStats {
  /** Refused: `ledger_unavailable`. */
  of(batchNumber: number): Promise<Outcome<BatchStats>>;
  close(): Promise<void>;
}

/** The ledger service's own counts, behind a breaker. */
export function createLedgerStats(http: InternalHttp, options: { timeoutMs: number; registry: Registry }): LedgerStats {
  const read = (batchNumber: number) => http.request("GET", `/internal/v1/batches/${batchNumber}/stats`);
  const breaker: Breaker<[number], InternalAnswer> = createBreaker(read, { name: "ledger", ...options });
  return {
    async of(batchNumber) {
      const answer = await breaker.call(batchNumber);
      if (!answer.ok || answer.value.status !== 200 || !Value.Check(batchStatsSchema, answer.value.body)) {
        return refused({ code: "ledger_unavailable" });
      }
      return done(answer.value.body);
    },
    async close() {
      breaker.close();
      await http.close();
    },
  };
}
