/**
 * The chart of accounts. Every line of the books is of one of these accounts and of one funding party; amounts are
 * minor units, positive for a debit and negative for a credit, and the lines of one event add up to 0.
 *
 * - `commitment` (a debit balance): what the coupons that are out may yet cost.
 * - `liability` (a credit balance): the same, as owed to whoever holds them: each at its greatest discount.
 * - `cost` (a debit balance): what redemptions took off, less what reversals gave back.
 * - `payable` (a credit balance): the same, as the party has to settle it.
 */
export const postingAccounts = ["commitment", "liability", "cost", "payable"] as const;
export type PostingAccount = (typeof postingAccounts)[number];

/**
 * What makes lines:
 * - `open`: a shard's first lines where it had coupons before there were books. - `issue`, `redeem`, `reverse`,
 *   `deactivate`: entries. - `revoke`: a rules entry that kills everything its shard has issued. - `expire`: the
 *   ledger's sweep. - `reinstate`: an entry that shows a coupon in use which the sweep had counted as expired.
 */
export const postingEvents = [
  "open",
  "issue",
  "redeem",
  "reverse",
  "expire",
  "deactivate",
  "revoke",
  "reinstate",
] as const;
export type PostingEvent = (typeof postingEvents)[number];

/** What a batch's stock, coupons and redemptions have come to, for {@link stillNeeded}. Money in minor units. */
export interface BatchUse {
  /** Coupons that may still be issued. */
  unissued: number;
  /** Coupons issued that may be redeemed, now or, once a reversal brings them back, again. */
  open: number;
  /** What the coupons that are over have cost, less what was reversed. */
  overCost: number;
}

/**
 * What a batch still needs of the budget that was reserved for it: what is over at what it cost, everything else
 * at its greatest discount. In other words: what is spent, plus the outstanding liability of all that may still be
 * issued, redeemed, or redeemed again after a reversal. The rest of the reservation is not used, and never will be:
 * each coupon goes from unissued to open to over, and on this way its part of the sum never grows.
 *
 * @throws RangeError where it is not a safe integer
 */
export function stillNeeded({ unissued, open, overCost }: BatchUse, greatestDiscount: number): number {
  const needed = (unissued + open) * greatestDiscount + overCost;
  if (!Number.isSafeInteger(needed)) throw new RangeError("an amount of money is beyond the safe integers");
  return needed;
}
