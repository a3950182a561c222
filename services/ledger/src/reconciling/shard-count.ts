import type { ShardCount } from "@coupon/database";
import { type Discount, type Entry, NO_TOTALS, type ShardRules, type ShardTotals } from "@coupon/domain";

/** A shard before its first entry. */
export const EMPTY_COUNT: Readonly<ShardCount> = {
  ...NO_TOTALS,
  number: 0,
  hash: "",
  atMs: 0,
  issued: 0,
  dayStartMs: 0,
  dayIssued: 0,
  rules: null,
};

/** What one entry does to what is counted of its shard. */
export interface Effect extends ShardTotals {
  number: number;
  prev: string;
  hash: string;
  atMs: number;
  issued: number;
  /** Start of the day in which the issues count; null where there are none. */
  dayStartMs: number | null;
  rules: ShardRules | null;
}

/**
 * Reads an entry's effect. On purpose not the code by which the ledger writes its rows: the one checks the other.
 *
 * @param hash SHA-1 of its text, hex
 */
export function effectOf(entry: Entry, hash: string): Effect {
  const { number, prev, at: atMs } = entry;
  const effect: Effect = { ...NOTHING, number, prev, hash, atMs };
  switch (entry.kind) {
    case "issue":
      effect.issued = entry.items.length;
      effect.dayStartMs = entry.day;
      break;
    case "redeem":
      effect.redemptions = entry.items.length;
      effect.discounted = sum(entry.items.map((item) => item.discount));
      break;
    case "reverse":
      effect.reversals = entry.items.length;
      effect.restored = entry.items.filter((item) => item.restored).length;
      effect.discountReversed = sum(entry.items.map((item) => item.reversed));
      break;
    case "deactivate":
      effect.deactivated = entry.items.length;
      break;
    case "rules":
      effect.rules = entry.rules;
      break;
    case "debit":
      effect.debited = entry.amount;
      break;
    case "credit":
      effect.credited = entry.amount;
      break;
    default:
  }
  return effect;
}

/** The shard after the entry. */
export function countAfter(before: ShardCount, effect: Effect): ShardCount {
  const sameDay = effect.dayStartMs === null || effect.dayStartMs === before.dayStartMs;
  return {
    number: effect.number,
    hash: effect.hash,
    atMs: effect.atMs,
    issued: before.issued + effect.issued,
    dayStartMs: effect.dayStartMs ?? before.dayStartMs,
    dayIssued: (sameDay ? before.dayIssued : 0) + effect.issued,
    debited: before.debited + effect.debited,
    credited: before.credited + effect.credited,
    redemptions: before.redemptions + effect.redemptions,
    reversals: before.reversals + effect.reversals,
    restored: before.restored + effect.restored,
    deactivated: before.deactivated + effect.deactivated,
    discounted: before.discounted + effect.discounted,
    discountReversed: before.discountReversed + effect.discountReversed,
    rules: effect.rules ?? before.rules,
  };
}

/** Stock that the shard may still issue: what it was given, less what it has issued. */
export function leftOf(count: ShardCount): number {
  return (count.rules?.allotment ?? 0) + count.credited - count.debited - count.issued;
}

const NOTHING = { ...NO_TOTALS, issued: 0, dayStartMs: null, rules: null };

function sum(discounts: Discount[]): number {
  return discounts.reduce((total, { discount }) => total + discount, 0);
}
