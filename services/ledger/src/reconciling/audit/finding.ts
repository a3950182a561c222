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
  | "counter";

/** A discrepancy, named down to the coupon; `serial` is null where it is a counter of the shard. */
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
