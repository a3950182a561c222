import { countOutstanding, readBatchTotals } from "@coupon/database";
import { type BatchDefinition, firstLiveIssueMs, formatInstant, greatestDiscount } from "@coupon/domain";
import type { LedgerResources } from "../resources.ts";
import { found, type Outcome, refused } from "./outcome.ts";

/**
 * What a batch has come to: coupons issued, redemptions and reversals; `cost` is what redemptions took off
 * less what reversals gave back; `liability` is the most that the coupons still out can take off.
 */
export async function batchStats(resources: LedgerResources, batchNumber: number): Promise<Outcome> {
  const definition = resources.batches.byNumber(batchNumber);
  if (definition === undefined) return refused("batch_not_found");
  const nowMs = resources.now();
  const asOf = formatInstant(resources.asOfMs(nowMs));
  const totals = await readBatchTotals(resources.pool, batchNumber);
  const outstanding = await outstandingOf(resources, definition, nowMs, () => {
    const redeemed = totals.redemptions - totals.restored;
    return totals.issued - redeemed - totals.deactivated;
  });
  const { currency } = definition.template.benefit;
  const { issued, redemptions: redeemed, reversals: reversed } = totals;
  const cost = { amount: totals.discounted - totals.discountReversed, currency };
  const liability = { amount: outstanding * greatestDiscount(definition.template), currency };
  return found(JSON.stringify({ batchNumber, issued, redeemed, reversed, cost, liability, asOf }));
}

/** Coupons that can still be redeemed. With a fixed validity the totals tell; else those too old are left out. */
async function outstandingOf(
  { pool }: LedgerResources,
  { template, revoked, batchNumber }: BatchDefinition,
  nowMs: number,
  fromTotals: () => number,
): Promise<number> {
  if (revoked) return 0;
  const { validity } = template;
  if ("from" in validity) return nowMs < Date.parse(validity.until) ? fromTotals() : 0;
  return countOutstanding(pool, batchNumber, firstLiveIssueMs(template, nowMs));
}
