import type { TriedRedemption } from "../issue-and-redeem.ts";
import { kindOf, windowOf } from "../made-up.ts";
import type { DemoRun, Redeemed } from "./demo-run.ts";

/** Takes one redemption back: a refund of the whole order, by whose terms the coupon comes back. */
export async function reverseOne(run: DemoRun, redeemed: Redeemed): Promise<TriedRedemption> {
  const { figures, client } = run;
  figures.heading("4. Reverse one redemption");
  const chosen = chooseRestorable(run, redeemed);
  const reversal = await client.reverse(chosen.wanted.orderId, {
    all: true,
    couponIds: [chosen.couponId],
    reason: "the customer returned the order",
    idempotencyKey: "demo-reversal",
  });
  if (!reversal.ok) {
    figures.check("reversal", "reversed", reversal.refusal?.code ?? "no answer");
    return chosen;
  }
  figures.check("discount reversed, in cents", chosen.wanted.discount, reversal.value.discountReversed);
  figures.check("discount left of the redemption, in cents", 0, reversal.value.remaining);
  figures.check("the coupon is", "effective", reversal.value.coupons[0]?.state ?? "missing");
  return chosen;
}

/** The first one whose terms give the coupon back, and that nobody else wants to redeem. */
function chooseRestorable({ real }: DemoRun, { succeeded, refused }: Redeemed): TriedRedemption {
  const window = windowOf(real, Date.now());
  const restorable = new Set(
    real.kinds.filter((it) => kindOf(real, it, window).template.refundPolicy === "restore").map((it) => it.upc),
  );
  const wantedTwice = new Set(refused.map((it) => it.couponId));
  const chosen = succeeded.find((it) => restorable.has(it.wanted.upc) && !wantedTwice.has(it.couponId));
  if (chosen === undefined) throw new Error("No redemption of the campaign gives its coupon back");
  return chosen;
}
