import { signRequest } from "@coupon/client";
import type { DemoCaller } from "@coupon/demo";
import type { HttpRequest } from "../generator/feed.ts";

/** A coupon that can be redeemed. */
export interface HeldCoupon {
  couponId: string;
  userId: string;
}

/** Claims of one batch by users who come once, each under its own key. */
export function* claimRequests(
  caller: DemoCaller,
  batchId: string,
  run: string,
  count: number,
): Generator<HttpRequest, void, undefined> {
  const path = `/v1/batches/${batchId}/claims`;
  for (let i = 0; i < count; i += 1) {
    const body = `{"userId":"user-${run}-${i}"}`;
    yield signedPost(caller, path, body, `claim-${run}-${i}`);
  }
}

/** What can be asked of an order that has one coupon. */
export type OrderStep = "lock" | "redeem" | "release" | "reversals";

/** Redemptions in one step, each of another coupon by another order. */
export const redeemRequests = (
  caller: DemoCaller,
  productId: string,
  run: string,
  coupons: readonly HeldCoupon[],
): Generator<HttpRequest, void, undefined> => orderRequests(caller, "redeem", productId, run, coupons);

/** One step of each coupon's own order; with the same run the orders are the same. */
export function* orderRequests(
  caller: DemoCaller,
  step: OrderStep,
  productId: string,
  run: string,
  coupons: readonly HeldCoupon[],
): Generator<HttpRequest, void, undefined> {
  const order = { amount: 2_000, currency: "USD", lines: [{ lineId: "1", productId, quantity: 1, unitAmount: 2_000 }] };
  const orderText = JSON.stringify(order);
  const rest = {
    lock: `,"order":${orderText},"holdSeconds":3600`,
    redeem: `,"order":${orderText}`,
    release: "",
    reversals: `"all":true,"reason":"bench"`,
  }[step];
  for (const [i, { couponId, userId }] of coupons.entries()) {
    const path = `/v1/orders/order-${run}-${i}/${step}`;
    if (step === "reversals") yield signedPost(caller, path, `{"couponIds":["${couponId}"],${rest}}`, `${run}-${i}`);
    else yield signedPost(caller, path, `{"userId":"${userId}","couponIds":["${couponId}"]${rest}}`);
  }
}

function signedPost(caller: DemoCaller, path: string, body: string, idempotencyKey?: string): HttpRequest {
  const signed = signRequest({
    method: "POST",
    path,
    body,
    keyId: caller.keyId,
    secret: caller.secret,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  });
  return { method: "POST", path, headers: { "content-type": "application/json", ...signed }, body };
}
