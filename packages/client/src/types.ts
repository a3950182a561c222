/**
 * What the callers' API takes and gives. Money is an integer of minor units, times are RFC 3339 in UTC,
 * every `until` is exclusive. New members and new values may be added to answers at any time.
 */

/** A value that may become one of more; known ones are suggested. */
export type Open<Known extends string> = Known | (string & {});

export interface Money {
  amount: number;
  currency: string;
}

export type Benefit =
  | { kind: "amount_off"; amount: number; currency: string }
  | { kind: "percent_off"; basisPointsOff: number; maxAmount: number; currency: string };

export interface Scope {
  productIds?: string[];
  categoryIds?: string[];
  sellerIds?: string[];
}

export interface Terms {
  name: string;
  benefit: Benefit;
  minimumSpend?: Money;
}

export type CouponState = Open<"pending" | "effective" | "locked" | "redeemed" | "expired" | "deactivated">;

export type BatchState = Open<"draft" | "in_review" | "approved" | "issuing" | "paused" | "ended" | "deactivated">;

export interface Coupon {
  couponId: string;
  batchId: string;
  userId: string;
  state: CouponState;
  sandbox: boolean;
  terms: Terms;
  validFrom: string;
  validUntil: string;
  issuedAt: string;
}

export interface Batch {
  batchId: string;
  name: string;
  state: BatchState;
  sandbox: boolean;
  terms: Terms & { scope?: Scope };
  issueWindow: { from: string; until: string };
}

/** Where a claim came from, for the risk rules. */
export interface ClaimContext {
  ip?: string;
  deviceId?: string;
  userAgent?: string;
  channel?: string;
}

export interface OrderLine {
  lineId: string;
  productId: string;
  categoryIds?: string[];
  sellerId?: string;
  quantity: number;
  unitAmount: number;
}

/** `amount` = Σ quantity × unitAmount. */
export interface Order {
  amount: number;
  currency: string;
  lines: OrderLine[];
}

export interface CouponDiscount {
  couponId: string;
  discount: number;
  lines: { lineId: string; discount: number }[];
}

export interface Hold {
  orderId: string;
  userId: string;
  coupons: CouponDiscount[];
  /** Binding until `lockedUntil`. */
  discount: number;
  lockedUntil: string;
}

export interface Redemption {
  orderId: string;
  userId: string;
  status: Open<"redeemed" | "partially_reversed" | "reversed">;
  coupons: CouponDiscount[];
  discount: number;
  discountReversed: number;
  redeemedAt: string;
}

export interface CouponStateOf {
  couponId: string;
  state: CouponState;
}

export interface Release {
  orderId: string;
  coupons: CouponStateOf[];
}

export interface Reversal {
  reversalId: string;
  discountReversed: number;
  remaining: number;
  coupons: CouponStateOf[];
}

export interface OrderRecord {
  orderId: string;
  hold?: Hold;
  redemption?: Redemption;
  reversals: Reversal[];
}

export interface Page<Item> {
  items: Item[];
  /** Null at the end. */
  nextCursor: string | null;
}

/** Fixed, or relative to the issue by days of the calendar or of 24 hours each. */
export type Validity =
  | { from: string; until: string }
  | { days: number; delayDays?: number; mode: "calendar" | "rolling" };

export type RefundPolicy = "restore" | "forfeit";
