import type { ManagedBatch } from "@coupon/client";
import { type CampaignPlan, type Desk, setUpCampaign } from "@coupon/demo";

/** Product that the bench's coupons apply to. */
export const productId = "product-1";

const greatestDiscount = 100;

/** A batch of its own for a measurement, issuing; made through the operators' API. */
export async function makeBatch(
  desk: Desk,
  name: string,
  stock: { total: number; perUser: number },
  shards?: number,
): Promise<ManagedBatch> {
  const now = Date.now();
  const window = { from: toInstant(now - 3_600_000), until: toInstant(now + 7 * 86_400_000) };
  const plan: CampaignPlan = {
    name: `bench ${name} ${now}`,
    window,
    currency: "USD",
    batches: [
      {
        name,
        greatestDiscount,
        stock,
        ...(shards !== undefined && { shards }),
        template: {
          name,
          benefit: { kind: "amount_off", amount: greatestDiscount, currency: "USD" },
          validity: window,
          timeZone: "UTC",
          scope: { productIds: [productId] },
          refundPolicy: "restore",
        },
      },
    ],
  };
  const [batch] = (await setUpCampaign(desk, plan)).batches;
  if (batch === undefined) throw new Error(`The batch ${name} was not made`);
  return batch;
}

function toInstant(ms: number): string {
  return new Date(ms).toISOString();
}
