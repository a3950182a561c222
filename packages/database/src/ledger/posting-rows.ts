import type { FundingShare, PostingAccount, PostingEvent, Validity } from "@coupon/domain";
import type { CouponKey } from "./rows.ts";

/** What money needs to know of a batch; frozen before its first coupon. */
export interface BatchTerms {
  batch: number;
  batchId: string;
  campaignId: string;
  currency: string;
  /** The most that one coupon can take off, in minor units. */
  greatestDiscount: number;
  funding: readonly FundingShare[];
  validity: Validity;
  timeZone: string;
}

/** One line of the journal. Amounts are positive for a debit and negative for a credit. */
export interface PostingLine {
  batch: number;
  shard: number;
  number: number;
  atMs: number;
  event: PostingEvent;
  account: PostingAccount;
  party: string;
  amount: number;
  coupons: number;
}

/** How far the books of a shard had come when the transaction began to write it. */
export interface ShardBooks {
  batch: number;
  shard: number;
  swept: number;
  revoked: boolean;
  /** What the shard's coupons that are out may yet take off. */
  liability: number;
}

/** What a transaction changes of the books of a shard. Numbers are differences. */
export interface ShardBooksChange {
  batch: number;
  shard: number;
  overCost: number;
  killed: number;
  revoked: boolean;
}

/** Everything that a transaction posts. */
export interface PostingRows {
  lines: PostingLine[];
  books: ShardBooksChange[];
  deferred: CouponKey[];
  /** Coupons that are deferred no more. */
  undeferred: CouponKey[];
  /** Shards whose coupons are deferred no more, not one of them. */
  revoked: { batch: number; shard: number }[];
}

/**
 * What a transaction's entries mean in money. What some of them mean depends on how far the books of their shards
 * have come, so that is read first, inside the transaction, when nobody else can change it.
 */
export interface PostingWork {
  /** Terms of batches that are not known to be stored yet. */
  terms: BatchTerms[];
  /** Shards whose books have to be read. */
  shards: { batch: number; shard: number }[];
  /** Coupons that may be deferred. */
  coupons: CouponKey[];
  post(books: ShardBooks[], deferred: CouponKey[]): PostingRows;
}

export const noPostings: PostingWork = {
  terms: [],
  shards: [],
  coupons: [],
  post: () => ({ lines: [], books: [], deferred: [], undeferred: [], revoked: [] }),
};
