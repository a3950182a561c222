import type { Discount, ShardRules, ShardTotals } from "@coupon/domain";

/** Rows of PostgreSQL, column by column in camel case. Those of `coupon` may be very many and are read once. */
export interface LedgerRows {
  positions: readonly { partition: number; position: number; epoch: number }[];
  shards: readonly ShardRow[];
  coupons: Iterable<CouponRow>;
  holds: readonly HoldRow[];
  redemptions: Iterable<RedemptionRow>;
  reversals: Iterable<ReversalRow>;
  releases: Iterable<ReleaseRow>;
  deactivations: Iterable<DeactivationRow>;
  rules: Iterable<RulesRow>;
  transfers: Iterable<TransferRow>;
}

export interface ShardRow extends ShardTotals {
  batch: number;
  shard: number;
  partition: number;
  number: number;
  /** SHA-1 of the last entry, hex. */
  hash: string;
  atMs: number;
  issued: number;
  dayStartMs: number;
  dayIssued: number;
  rules: ShardRules | null;
}

interface OfCoupon {
  batch: number;
  shard: number;
  serial: number;
}

interface OfOrder extends OfCoupon {
  callerId: string;
  orderId: string;
}

export interface CouponRow extends OfCoupon {
  /** 16 hex digits. */
  keyHash: string;
  issuedAtMs: number;
  /** 0 effective and never touched, 1 effective with something on record, 2 locked, 3 redeemed, 4 deactivated. */
  state: number;
  via: string;
  userId: string;
  callerId: string;
}

export interface HoldRow extends OfOrder {
  payload: string;
  lockedAtMs: number;
  untilMs: number;
  discount: Discount;
}

export interface RedemptionRow extends OfOrder {
  number: number;
  payload: string;
  redeemedAtMs: number;
  discount: Discount;
}

export interface ReversalRow extends OfOrder {
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

export interface ReleaseRow extends OfOrder {
  number: number;
  releasedAtMs: number;
  held: boolean;
}

export interface DeactivationRow extends OfCoupon {
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
  rules: ShardRules;
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

/** The books: lines, what they add up to, and how far sweeps have come, all read at one moment. */
export interface BookRows {
  postings: readonly PostingRow[];
  balances: readonly BalanceRow[];
  /** A shard that is not there stands at 0. */
  shards: readonly { batch: number; shard: number; swept: number; sweptUntilMs: number }[];
  /** Coupons that were swept under a hold. */
  deferred: readonly OfCoupon[];
}

interface OfAccount {
  batch: number;
  shard: number;
  event: string;
  account: string;
  party: string;
  /** Positive for a debit, negative for a credit. */
  amount: number;
  coupons: number;
}

export type BalanceRow = OfAccount;

export interface PostingRow extends OfAccount {
  number: number;
}

/** What Redis has of a shard, from its header. */
export interface HotRow {
  batch: number;
  shard: number;
  number: number;
  /** SHA-1 of the last entry, hex. */
  hash: string;
  issued: number;
  left: number;
}
