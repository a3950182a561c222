/**
 * The vocabulary of the platform, as types. Money is an integer number of minor units; instants are
 * milliseconds since the Unix epoch where a name ends in `Ms`, RFC 3339 strings in UTC elsewhere;
 * every `until` is exclusive; shares are basis points.
 */

/** An amount in integer minor units of an ISO 4217 currency. */
export interface Money {
  amount: number;
  currency: string;
}

export type Benefit =
  | { kind: "amount_off"; amount: number; currency: string }
  | { kind: "percent_off"; basisPointsOff: number; maxAmount: number; currency: string };

/** What a benefit applies to. A line is in scope when it matches every list that is given. */
export interface Scope {
  productIds?: string[];
  categoryIds?: string[];
  sellerIds?: string[];
}

/** Fixed (`from`, `until`) or relative to the issue (`days`, of the calendar or of 24 hours each). */
export type Validity =
  | { from: string; until: string }
  | { days: number; delayDays?: number; mode: "calendar" | "rolling" };

export type RefundPolicy = "restore" | "forfeit";

/** A benefit definition built from components. Frozen into the batch when the batch is submitted. */
export interface Template {
  name: string;
  benefit: Benefit;
  minimumSpend?: Money;
  validity: Validity;
  timeZone: string;
  scope?: Scope;
  refundPolicy: RefundPolicy;
}

export type BatchState = "draft" | "in_review" | "approved" | "issuing" | "paused" | "ended" | "deactivated";

/** How many a batch may issue. */
export interface Stock {
  total: number;
  perDay?: number;
  perUser: number;
  perUserPerDay?: number;
}

export type Entitlement = "issue" | "redeem" | "reverse" | "read";

/** An issuable run of a template as campaigns publishes it and issuing holds it in process. */
export interface BatchDefinition {
  batchId: string;
  /** 32-bit number that stands for the batch in coupon ids, keys and entries. */
  batchNumber: number;
  /** Grows by one with every published change; a rules entry carries it. */
  version: number;
  campaignId: string;
  name: string;
  sandbox: boolean;
  state: BatchState;
  /** Set with `deactivated`: coupons that were issued are dead too. */
  revoked: boolean;
  /** When it was revoked; absent where it was not, and of what was published before this was told. */
  revokedAt?: string;
  template: Template;
  stock: Stock;
  issueWindow: { from: string; until: string };
  callers: { callerId: string; may: Entitlement[] }[];
  funding: { party: string; basisPoints: number }[];
  /** In which the batch's days are counted. */
  timeZone: string;
  shards: number;
  /** Of the MAC key that coupon ids of this batch carry, so that a replay yields the same id. */
  couponKeyVersion: number;
}

export type CallerStatus = "live" | "not_live" | "suspended";

/** A front-end business's registered application as issuing holds it in process. */
export interface CallerDefinition {
  callerId: string;
  version: number;
  name: string;
  status: CallerStatus;
  /** A key id begins with `live_` or `test_`; another opens nothing. */
  keys: { keyId: string; secret: string; revoked: boolean }[];
}

export type CouponState = "pending" | "effective" | "locked" | "redeemed" | "expired" | "deactivated";

export interface OrderLine {
  lineId: string;
  productId: string;
  categoryIds?: string[];
  sellerId?: string;
  quantity: number;
  unitAmount: number;
}

/** `amount` = Σ quantity × unitAmount; its integers share its one currency. */
export interface Order {
  amount: number;
  currency: string;
  lines: OrderLine[];
}

/**
 * What a coupon takes off an order, line by line. Of a hold or a redemption every line of the order is
 * listed in its order, with the ordered quantity, and 0 where it has no discount; of a reversal the
 * lines that were asked for, with the reversed quantity.
 */
export interface Discount {
  discount: number;
  currency: string;
  lines: { lineId: string; quantity: number; discount: number }[];
}
