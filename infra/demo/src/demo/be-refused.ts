import type { CouponCalls, Order, Redemption, Result } from "@coupon/client";
import type { TriedRedemption } from "../issue-and-redeem.ts";
import { scarceStock } from "../plans.ts";
import type { DemoRun, Redeemed } from "./demo-run.ts";

/** Tries what must not be possible, and shows how each is refused. */
export async function beRefused(
  run: DemoRun,
  redeemed: Redeemed,
  reversed: TriedRedemption,
  scarceBatchId: string,
): Promise<void> {
  const { figures, client, otherClient } = run;
  figures.heading("5. Be refused where it must be");
  const victim = redeemed.succeeded.find((it) => it !== reversed);
  if (victim === undefined) throw new Error("Nothing was redeemed that could be tried again");
  const { couponId, wanted } = victim;
  const attempt = { client, orderId: "demo-second-order", couponId, userId: wanted.userId, order: wanted.order };
  figures.check("a second redemption, for another order", "coupon_redeemed", await codeOfRedeeming(attempt));
  const forged = { ...attempt, couponId: forge(couponId) };
  figures.check("a forged coupon id", "coupon_not_found", await codeOfRedeeming(forged));
  const stolen = { ...attempt, userId: "household-0" };
  figures.check("another user's coupon", "coupon_not_found", await codeOfRedeeming(stolen));
  const foreign = { ...attempt, client: otherClient };
  figures.check("another business's coupon", "coupon_not_found", await codeOfRedeeming(foreign));
  const again = await client.redeemInOneStep(wanted.orderId, {
    userId: wanted.userId,
    couponIds: [couponId],
    order: wanted.order,
  });
  const first = victim.result.ok ? victim.result.value.redeemedAt : "";
  figures.check(
    "the same redemption repeated is answered with its first success",
    first,
    again.ok ? again.value.redeemedAt : "",
  );
  await sellOut(run, scarceBatchId);
}

async function sellOut({ figures, client }: DemoRun, batchId: string): Promise<void> {
  const coupons = new Set<string>();
  for (let i = 1; i <= scarceStock; i += 1) {
    const claim = await client.claim(batchId, { userId: `early-bird-${i}`, idempotencyKey: "demo-claim" });
    if (claim.ok) coupons.add(claim.value.couponId);
  }
  figures.check(`claims of a batch with a stock of ${scarceStock} that succeed`, scarceStock, coupons.size);
  const late = await client.claim(batchId, { userId: "late-riser", idempotencyKey: "demo-claim" });
  figures.check("the next one", "stock_exhausted", late.ok ? "issued" : (late.refusal?.code ?? "no answer"));
}

interface Attempt {
  client: CouponCalls;
  orderId: string;
  couponId: string;
  userId: string;
  order: Order;
}

async function codeOfRedeeming({ client, orderId, couponId, userId, order }: Attempt): Promise<string> {
  const result: Result<Redemption> = await client.redeemInOneStep(orderId, { userId, couponIds: [couponId], order });
  return result.ok ? "redeemed" : (result.refusal?.code ?? "no answer");
}

/** The id with its last character changed, as somebody would who guesses. */
function forge(couponId: string): string {
  return couponId.slice(0, -1) + (couponId.endsWith("0") ? "1" : "0");
}
