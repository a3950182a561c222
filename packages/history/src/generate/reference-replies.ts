import {
  type BatchDefinition,
  type Discount,
  formatInstant,
  type Order,
  type RefusalCode,
  type ReverseItem,
  refusals,
} from "@coupon/domain";
import type { Ask, Position } from "../history.ts";
import type { ReferenceCoupon, ReferenceShard } from "./reference-shard.ts";

export interface Reply {
  status: number;
  body: object;
  positions: Position[];
}

export type ClaimAsk = { callerId: string; userId: string; key: string; via: "c" | "g" };
/** About one coupon, which is `coupon`. */
export type OrderAsk = { callerId: string; orderId: string; userId: string; coupon: ReferenceCoupon } & (
  | { op: "lock"; order: Order; holdSeconds: number }
  | { op: "redeem"; order?: Order }
  | { op: "release" }
  | { op: "reverse"; key: string; ask: Ask; restore?: boolean }
);

export function problem(code: RefusalCode): Reply {
  const { status, outcome } = refusals[code];
  return { status, body: { code, outcome }, positions: [] };
}

export function success(shard: ReferenceShard, status: number, body: object): Reply {
  return { status, body, positions: [{ partition: shard.partition, offset: shard.durableOffset }] };
}

export function couponBody(
  { definition }: { definition: BatchDefinition },
  { couponId, userId }: ReferenceCoupon,
): object {
  return { couponId, batchId: definition.batchId, userId, state: "effective" };
}

function discountBody({ coupon }: OrderAsk, { discount, lines }: Discount): object {
  const taken = lines
    .filter((line) => line.discount > 0)
    .map((line) => ({ lineId: line.lineId, discount: line.discount }));
  return { coupons: [{ couponId: coupon.couponId, discount, lines: taken }], discount };
}

export function holdBody(ask: OrderAsk, untilMs: number, discount: Discount): object {
  const { orderId, userId } = ask;
  return { orderId, userId, ...discountBody(ask, discount), lockedUntil: formatInstant(untilMs) };
}

export function redemptionBody(ask: OrderAsk, atMs: number, discount: Discount): object {
  const { orderId, userId } = ask;
  return { orderId, userId, status: "redeemed", ...discountBody(ask, discount), redeemedAt: formatInstant(atMs) };
}

export function reversalBody(
  { couponId }: ReferenceCoupon,
  { reversalId, reversed, remaining, restored }: ReverseItem,
): object {
  const coupons = [{ couponId, state: restored ? "effective" : "redeemed" }];
  return { reversalId, discountReversed: reversed.discount, remaining, coupons };
}
