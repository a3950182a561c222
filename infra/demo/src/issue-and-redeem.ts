import { CallFailed, type CouponClient, type Redemption, type Result } from "@coupon/client";
import type { RealCampaign } from "./dataset.ts";
import { grantKeyOf, type MadeUpRedemption, redemptionOf, userIdOf } from "./made-up.ts";
import { mapLimited } from "./map-limited.ts";

/** What the grants of one batch came to. */
export interface Granted {
  /** Issued now, or earlier under the same key. */
  coupons: { userId: string; couponId: string; replayed: boolean }[];
  refused: number;
}

const requestsAtOnce = 4;
const redemptionsAtOnce = 32;

/**
 * Grants each household of a campaign its coupons of one kind. Repeating it gives the same coupons, replayed.
 *
 * @throws CallFailed where the platform can't be asked, after the SDK's retries
 */
export async function grantKind(
  client: CouponClient,
  campaign: RealCampaign,
  batchId: string,
  perUser: number,
): Promise<Granted> {
  const grants = campaign.households.flatMap((household) =>
    Array.from({ length: perUser }, (_, i) => ({
      userId: userIdOf(household),
      idempotencyKey: grantKeyOf(household, i + 1),
    })),
  );
  const { outcomes, failure, ok } = await client.grant(batchId, grants, { concurrency: requestsAtOnce });
  if (failure !== undefined) throw new CallFailed(failure);
  if (!ok)
    throw new Error(`Grants of ${batchId} stayed unavailable: ${JSON.stringify(outcomes.find((it) => it.problem))}`);
  const coupons = outcomes.flatMap(({ userId, coupon, outcome }) =>
    coupon === undefined ? [] : [{ userId, couponId: coupon.couponId, replayed: outcome === "replayed" }],
  );
  return { coupons, refused: outcomes.length - coupons.length };
}

/** A redemption of the data set that was tried. */
export interface TriedRedemption {
  wanted: MadeUpRedemption;
  couponId: string;
  result: Result<Redemption>;
}

/**
 * Redeems a campaign's redemptions, each with the household's coupon of that kind: the first for its first, the second
 * for its second if it has two. What belongs to one household keeps its order; households go side by side.
 *
 * @param couponsOf a user's coupons of a kind, in the order in which they were granted
 */
export async function redeemCampaign(
  client: CouponClient,
  campaign: RealCampaign,
  couponsOf: (upc: string, userId: string) => string[],
): Promise<TriedRedemption[]> {
  const wanted = campaign.redemptions.map((it) => redemptionOf(campaign, it));
  const households = [...Map.groupBy(wanted, (it) => it.userId).values()];
  const tried = await mapLimited(households, redemptionsAtOnce, async (its) => {
    const results: TriedRedemption[] = [];
    for (const one of its) {
      const coupons = couponsOf(one.upc, one.userId);
      const couponId = coupons[one.occurrence - 1] ?? coupons[0] ?? "";
      const body = { userId: one.userId, couponIds: [couponId], order: one.order };
      results.push({ wanted: one, couponId, result: await client.redeemInOneStep(one.orderId, body) });
    }
    return results;
  });
  return tried.flat();
}
