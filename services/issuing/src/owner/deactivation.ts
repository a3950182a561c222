import type {
  Applied,
  DeactivateOutcome,
  DeactivateRequest,
  Expectation,
  ShardAddress,
  ShardCalls,
} from "@coupon/redis";
import type { BelongsTo } from "./reversal.ts";

/** The operator names no user: the id must prove to be the coupon's of the user on record. */
export interface DeactivateAsk extends DeactivateRequest {
  couponId: string;
}

/** `lookedUp`: the ledger has been asked whose coupon it is, which is null where it knows of no such coupon. */
export interface Deactivation {
  ask: DeactivateAsk;
  lookedUp: boolean;
  userOnRecord: string | null;
}

export type DeactivationOutcome = DeactivateOutcome | { kind: "cold" };

/**
 * Kills the coupons whose ids prove true. Redis knows whose a coupon is only once it has a record; of another one, the
 * ledger is asked first (cold-records.ts), and what it does not know then was never issued.
 */
export async function deactivateAll(
  calls: ShardCalls,
  at: ShardAddress,
  expect: Expectation,
  deactivations: readonly Deactivation[],
  belongsTo: BelongsTo,
): Promise<Applied<DeactivationOutcome>> {
  const records = await calls.readRecords(
    at,
    deactivations.map(({ ask }) => ask.serial),
  );
  const judged = deactivations.map(({ ask, lookedUp, userOnRecord }, index): DeactivationOutcome | null => {
    const userId = records[index]?.record.userId || userOnRecord;
    if (userId === null && !lookedUp) return { kind: "cold" };
    const isProven = userId !== null && belongsTo(ask.couponId, userId);
    return isProven ? null : { kind: "refused", code: "coupon_not_found" };
  });
  const proven = deactivations.flatMap(({ ask }, index) => (judged[index] === null ? [ask] : []));
  const applied = await calls.deactivate(at, expect, proven);
  if (applied.kind === "mismatch") return applied;
  let next = 0;
  const outcomes = judged.map((one): DeactivationOutcome => {
    if (one !== null) return one;
    next += 1;
    return applied.outcomes[next - 1] as DeactivateOutcome;
  });
  return { ...applied, outcomes };
}
