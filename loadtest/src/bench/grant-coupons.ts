import type { BenchContext } from "./context.ts";
import type { HeldCoupon } from "./loads.ts";

const grantsPerRequest = 500;
const requestsAtOnce = 8;
/** Grants that are made, and held in memory, at a time. */
const grantsAtOnce = 20_000;

/**
 * Grants one coupon to each of `count` users of its own. Repeated with the same run it gives the same coupons.
 *
 * @throws Error where a grant is refused
 */
export async function grantCoupons(
  context: BenchContext,
  batchId: string,
  run: string,
  count: number,
): Promise<HeldCoupon[]> {
  const coupons: HeldCoupon[] = [];
  for (let from = 0; from < count; from += grantsAtOnce) {
    const size = Math.min(grantsAtOnce, count - from);
    const grants = Array.from({ length: size }, (_, i) => ({
      userId: `user-${run}-${from + i}`,
      idempotencyKey: `grant-${run}-${from + i}`,
    }));
    const { outcomes, failure } = await context.client.grant(batchId, grants, {
      chunkSize: grantsPerRequest,
      concurrency: requestsAtOnce,
    });
    for (const { coupon, userId, problem } of outcomes) {
      if (coupon === undefined) {
        throw new Error(`A grant failed: ${problem?.code ?? failure?.refusal?.code ?? failure?.outcome ?? "unknown"}`);
      }
      coupons.push({ couponId: coupon.couponId, userId });
    }
  }
  return coupons;
}
