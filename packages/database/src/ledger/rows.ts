import type { Correction, Discount, ShardTotals } from "@coupon/domain";

/** A partition's step in one transaction: it must stand at `from`, and stands at `to` afterwards. */
export interface PositionAdvance {
  partition: number;
  /** Offset of the first message that the transaction applies. */
  from: number;
  /** Offset after the last one. */
  to: number;
  /** Offset of the last marker before `to`; -1 where there is none. */
  epoch: number;
}

/** What a transaction adds to a shard. Counters are differences, the rest is as of the last entry. */
export interface ShardAdvance extends ShardTotals {
  batch: number;
  shard: number;
  partition: number;
  number: number;
  /** SHA-1 of the last entry's text, hex. */
  hash: string;
  atMs: number;
  issued: number;
  /** Start of the day in which the last issues counted, and how many of these did; null where none were. */
  day: { startMs: number; issued: number } | null;
  /** JSON of the rules in force; null where they did not change. */
  rules: string | null;
}

/** Codes of `ledger.coupon.state`. */
export const couponStates = { untouched: 0, effective: 1, locked: 2, redeemed: 3, deactivated: 4 } as const;
export type StoredState = (typeof couponStates)[keyof typeof couponStates];

/** As a new state: on record from now on, and otherwise as it is. */
export const STATE_TOUCHED = -1;

/** Names a coupon in the ledger's tables. */
export interface CouponKey {
  batch: number;
  shard: number;
  serial: number;
}

/** Where the fact of an order came from. */
export interface OrderFact extends CouponKey {
  callerId: string;
  orderId: string;
}

export interface HoldRow extends OrderFact {
  payload: string;
  lockedAtMs: number;
  untilMs: number;
  discount: Discount;
}

export interface RedemptionRow extends OrderFact {
  number: number;
  payload: string;
  redeemedAtMs: number;
  discount: Discount;
}

export interface ReversalRow extends OrderFact {
  number: number;
  reversalId: string;
  keyHash: string;
  payload: string;
  reason: string;
  reversedAtMs: number;
  reversed: Discount;
  remaining: number;
  restored: boolean;
}

export interface ReleaseRow extends OrderFact {
  number: number;
  releasedAtMs: number;
  held: boolean;
}

export interface DeactivationRow extends CouponKey {
  number: number;
  reason: string;
  deactivatedAtMs: number;
}

export interface RulesRow {
  batch: number;
  shard: number;
  number: number;
  atMs: number;
  version: number;
  /** JSON of a domain ShardRules. */
  rules: string;
}

export interface TransferRow {
  batch: number;
  shard: number;
  number: number;
  kind: "debit" | "credit";
  peer: number;
  transfer: number;
  amount: number;
  atMs: number;
}

export interface CorrectionRow extends Correction {
  batch: number;
  shard: number;
  number: number;
  atMs: number;
}

/**
 * What several entries do to coupons that are there already. Of one coupon there is at most one state,
 * and it is either held or not: whoever builds the rows keeps the last.
 */
export interface FactRows {
  states: (CouponKey & { state: StoredState | typeof STATE_TOUCHED })[];
  holds: HoldRow[];
  holdsEnded: CouponKey[];
  redemptions: RedemptionRow[];
  reversals: ReversalRow[];
  releases: ReleaseRow[];
  deactivations: DeactivationRow[];
  rules: RulesRow[];
  transfers: TransferRow[];
  corrections: CorrectionRow[];
}
