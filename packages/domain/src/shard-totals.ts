/**
 * What is counted of a shard beside its issues: totals since its first entry, or what some entries add to them. The
 * type is shared by all who count; each counts by code of its own, so that the one checks the other.
 */
export interface ShardTotals {
  /** Stock given to other shards, and taken from them. */
  debited: number;
  credited: number;
  redemptions: number;
  reversals: number;
  /** Coupons that came back by a reversal. */
  restored: number;
  deactivated: number;
  /** Minor units of the batch's currency. */
  discounted: number;
  discountReversed: number;
}

/** A shard before its first entry. */
export const NO_TOTALS: Readonly<ShardTotals> = {
  debited: 0,
  credited: 0,
  redemptions: 0,
  reversals: 0,
  restored: 0,
  deactivated: 0,
  discounted: 0,
  discountReversed: 0,
};
