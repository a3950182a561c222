import type { DerivedStore } from "@coupon/domain";

/** How a store differs from the log. */
export type FindingKind =
  /** The store lacks the coupon, has it more than once, or has one that was never issued. */
  | "missing"
  | "doubled"
  | "unexpected"
  /** The coupon's state is another. */
  | "state"
  /** What is on record of it is another: an amount, an order, a time, its user. */
  | "facts"
  /** A counter of the shard. */
  | "counter"
  /** Of which partition a shard is said to be; or rows of a shard that nobody knows, which are found only. */
  | "shard"
  /** A line of the journal; a balance; what the sweep keeps of the shard; a transfer; the batch's terms of money. */
  | BooksKind;

/** Kinds of what is of the shard's books, and not of one of its coupons. */
export const booksKinds = ["posting", "balance", "books", "transfer", "terms"] as const;
export type BooksKind = (typeof booksKinds)[number];

/** A discrepancy, named down to the coupon; `serial` is null where it is of the shard. */
export interface Finding {
  batch: number;
  shard: number;
  serial: number | null;
  store: DerivedStore;
  kind: FindingKind;
  /** The entry at which both were compared. */
  number: number;
  expected: unknown;
  found: unknown;
}
