import {
  type CouponIdCodec,
  type CouponState,
  couponStateAt,
  type Discount,
  formatInstant,
  judgeDiscount,
  type Order,
  orderPayloadHash,
  type Refusal,
  type RefusalCode,
  refusals,
  type StoredCouponState,
} from "@coupon/domain";
import type { Batches } from "../front/batches.ts";
import type { CallerKey } from "../front/callers.ts";
import type { KnownTie, OrderTies } from "../front/order-ties.ts";
import type { Router } from "../front/router.ts";
import type { Answer, LogPlace } from "../owner/operation.ts";
import { placeOf, REDEEMED_KEPT_MS } from "../stores/order-tie-reads.ts";
import { type NamedCoupon, nameCoupon } from "./order-coupon.ts";
import { noOutcomeRefusal } from "./refusals.ts";

export interface OrderResources {
  router: Router;
  codec: CouponIdCodec;
  batches: Batches;
  orders: OrderTies;
}

/** What every order request names. One coupon an order for now. */
export interface OrderRequest {
  key: CallerKey;
  orderId: string;
  userId: string;
  couponIds: string[];
}

type RefusedResult = { kind: "refused"; refusal: Refusal };

export type OrderResult<Body> = { kind: "done"; body: Body; place: LogPlace } | RefusedResult;

interface CouponDiscount {
  couponId: string;
  discount: number;
  lines: { lineId: string; discount: number }[];
}

export interface Hold {
  orderId: string;
  userId: string;
  coupons: CouponDiscount[];
  discount: number;
  lockedUntil: string;
}

export interface Redemption {
  orderId: string;
  userId: string;
  status: "redeemed";
  coupons: CouponDiscount[];
  discount: number;
  discountReversed: number;
  redeemedAt: string;
}

export interface Released {
  orderId: string;
  coupons: { couponId: string; state: string }[];
}

/** Keeps a coupon for an order until a deadline. The discount is binding; a repeat gets the same hold. */
export async function lockOrder(
  resources: OrderResources,
  request: OrderRequest & { order: Order; holdSeconds: number },
): Promise<OrderResult<Hold>> {
  const coupon = find(resources, request, "redeem");
  if (coupon === null) return refused("coupon_not_found");
  const { key, orderId, userId, order, holdSeconds } = request;
  const holdMs = holdSeconds * 1_000;
  const tie = await tieOrder(resources, request, coupon, holdMs);
  if (tie.outcome === "unavailable") return refused("shard_recovering", 1);
  const answer = await resources.router.submit({
    op: "lock",
    batch: coupon.batch.definition.batchNumber,
    shard: coupon.shard,
    request: {
      ...about(coupon, key, orderId, userId),
      permitted: tie.outcome !== "other" && coupon.verdict === null,
      payload: orderPayloadHash(order),
      holdMs,
      validFromMs: coupon.validFromMs,
      validUntilMs: coupon.validUntilMs,
      verdict: judgeDiscount(coupon.batch.definition.template, order),
    },
  });
  const result = held(request, coupon, answer);
  return result.kind === "done" ? result : refusedTied(resources, request, coupon, tie, result);
}

function held({ orderId, userId }: OrderRequest, coupon: NamedCoupon, answer: Answer<"lock">): OrderResult<Hold> {
  if (answer.kind !== "done") return { kind: "refused", refusal: noOutcomeRefusal(answer) };
  const { outcome, place, atMs } = answer;
  if (outcome.kind !== "locked") return refusedCoupon(outcome, coupon, atMs);
  const { untilMs, discount } = outcome;
  const coupons = [couponDiscount(coupon.couponId, discount)];
  const body = { orderId, userId, coupons, discount: discount.discount, lockedUntil: formatInstant(untilMs) };
  return { kind: "done", body, place };
}

/** Uses a coupon that the order holds, or, with `order`, takes and uses it in one step. A repeat gets the first success. */
export async function redeemOrder(
  resources: OrderResources,
  request: OrderRequest & { order?: Order },
): Promise<OrderResult<Redemption>> {
  const coupon = find(resources, request, "redeem");
  if (coupon === null) return refused("coupon_not_found");
  const { key, orderId, userId, order } = request;
  const tie = await tieOrder(resources, request, coupon, REDEEMED_KEPT_MS);
  if (tie.outcome === "unavailable") return refused("shard_recovering", 1);
  const answer = await resources.router.submit({
    op: "redeem",
    batch: coupon.batch.definition.batchNumber,
    shard: coupon.shard,
    request: {
      ...about(coupon, key, orderId, userId),
      permitted: tie.outcome !== "other" && coupon.verdict === null,
      validFromMs: coupon.validFromMs,
      validUntilMs: coupon.validUntilMs,
      ...(order === undefined ? {} : { order: orderTerms(coupon, order) }),
    },
  });
  const result = redeemed(request, coupon, answer);
  return result.kind === "done" ? result : refusedTied(resources, request, coupon, tie, result);
}

function redeemed(
  { orderId, userId }: OrderRequest,
  coupon: NamedCoupon,
  answer: Answer<"redeem">,
): OrderResult<Redemption> {
  if (answer.kind !== "done") return { kind: "refused", refusal: noOutcomeRefusal(answer) };
  const { outcome, place, atMs } = answer;
  if (outcome.kind !== "redeemed") return refusedCoupon(outcome, coupon, atMs);
  const { discount, redeemedAtMs } = outcome;
  const body: Redemption = {
    orderId,
    userId,
    status: "redeemed",
    coupons: [couponDiscount(coupon.couponId, discount)],
    discount: discount.discount,
    discountReversed: 0,
    redeemedAt: formatInstant(redeemedAtMs),
  };
  return { kind: "done", body, place };
}

/** Gives a hold back; also where there is none, and then the order may not lock these coupons for a day. */
export async function releaseOrder(resources: OrderResources, request: OrderRequest): Promise<OrderResult<Released>> {
  const coupon = find(resources, request, "redeem");
  if (coupon === null) return refused("coupon_not_found");
  const { key, orderId, userId } = request;
  const answer = await resources.router.submit({
    op: "release",
    batch: coupon.batch.definition.batchNumber,
    shard: coupon.shard,
    request: {
      ...about(coupon, key, orderId, userId),
      validFromMs: coupon.validFromMs,
      validUntilMs: coupon.validUntilMs,
    },
  });
  if (answer.kind !== "done") return { kind: "refused", refusal: noOutcomeRefusal(answer) };
  const { outcome, place, atMs } = answer;
  if (outcome.kind !== "released") return refusedCoupon(outcome, coupon, atMs);
  if (outcome.used !== true) await resources.orders.forget(key.callerId, orderId, tiedTo(coupon));
  const state = shownState(coupon, outcome.state, atMs);
  return { kind: "done", body: { orderId, coupons: [{ couponId: coupon.couponId, state }] }, place };
}

/** The state of a coupon as reads showed it then, where `stored` is what its shard left; a hold is in time. */
export function shownState(coupon: NamedCoupon, stored: StoredCouponState, atMs: number): CouponState {
  const revoked = atMs >= coupon.batch.revokedFromMs;
  return couponStateAt({ stored, revoked, lockedUntilMs: Number.POSITIVE_INFINITY }, coupon, atMs);
}

/** Refuses as the script did, with the words of the caller's own verdict where that was the reason. */
export function refusedCoupon(
  outcome: { kind: string; code?: string },
  coupon: NamedCoupon,
  atMs: number,
): { kind: "refused"; refusal: Refusal } {
  if (outcome.kind !== "refused") return refused("shard_recovering", 1);
  if (outcome.code === "not_permitted") return refused(coupon.verdict ?? "operation_not_permitted");
  if (outcome.code === "coupon_pending") {
    return refused("coupon_pending", Math.max(1, Math.min(172_800, Math.ceil((coupon.validFromMs - atMs) / 1_000))));
  }
  if (outcome.code === "coupon_locked" || outcome.code === "overloaded") return refused(outcome.code, 1);
  return refused(outcome.code as RefusalCode);
}

export function refused(code: RefusalCode, retryAfterSeconds?: number): { kind: "refused"; refusal: Refusal } {
  return { kind: "refused", refusal: retryAfterSeconds === undefined ? { code } : { code, retryAfterSeconds } };
}

export function about(coupon: NamedCoupon, key: CallerKey, orderId: string, userId: string) {
  return { serial: coupon.serial, userId, callerId: key.callerId, orderId, permitted: coupon.verdict === null };
}

function find(resources: OrderResources, request: OrderRequest, operation: "redeem"): NamedCoupon | null {
  return nameCoupon(resources, request.key, request.userId, request.couponIds[0] ?? "", operation);
}

function orderTerms(coupon: NamedCoupon, order: Order) {
  return {
    payload: orderPayloadHash(order),
    verdict: judgeDiscount(coupon.batch.definition.template, order),
  };
}

function couponDiscount(couponId: string, { discount, lines }: Discount): CouponDiscount {
  const taken = lines.filter((line) => line.discount > 0);
  return { couponId, discount, lines: taken.map((line) => ({ lineId: line.lineId, discount: line.discount })) };
}

const tiedTo = ({ batch, shard, serial }: NamedCoupon): string =>
  placeOf({ batch: batch.definition.batchNumber, shard, serial });

/**
 * An order names its coupons once: while it holds or has used some, others are a conflict. Only a success that is on
 * record with the coupon is answered in spite of the tie.
 */
function tieOrder(
  { orders }: OrderResources,
  { key, orderId }: OrderRequest,
  coupon: NamedCoupon,
  keptMs: number,
): Promise<KnownTie> {
  return orders.claim(key.callerId, orderId, tiedTo(coupon), keptMs);
}

/** Refuses as the tie has it, and gives the request's claim on the tie back where nothing came of it. */
async function refusedTied(
  { orders }: OrderResources,
  { key, orderId }: OrderRequest,
  coupon: NamedCoupon,
  tie: KnownTie,
  result: RefusedResult,
): Promise<RefusedResult> {
  const { outcome, status } = refusals[result.refusal.code];
  if (tie.outcome === "other") return status === 503 ? result : refused("idempotency_conflict");
  if (outcome === "none") await orders.giveBack(key.callerId, orderId, tiedTo(coupon), tie.untilMs);
  return result;
}
