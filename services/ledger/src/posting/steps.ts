import type { CouponKey } from "@coupon/database";
import type { Discount, Entry } from "@coupon/domain";
import type { PostingTerms } from "./terms.ts";

/** What one entry does to money, with no more of the entry than that takes. */
export type Step =
  | { kind: "issue"; coupons: number }
  | { kind: "lock" | "deactivate"; serials: number[] }
  | { kind: "redeem"; items: { serial: number; discount: number; parts: readonly number[] }[] }
  | { kind: "reverse"; items: { serial: number; reversed: number; parts: readonly number[]; restored: boolean }[] }
  | { kind: "revoke" };

/**
 * What an entry does to money; null where nothing.
 *
 * @throws where it does not agree with its batch's terms
 */
export function stepOf(entry: Entry, terms: PostingTerms): Step | null {
  switch (entry.kind) {
    case "issue":
      return { kind: "issue", coupons: entry.items.length };
    case "lock":
    case "deactivate":
      return { kind: entry.kind, serials: entry.items.map(({ serial }) => serial) };
    case "redeem":
      return {
        kind: "redeem",
        items: entry.items.map(({ serial, discount: given }) => {
          const discount = amountOf(given, terms);
          return { serial, discount, parts: terms.split(discount) };
        }),
      };
    case "reverse":
      return {
        kind: "reverse",
        items: entry.items.map(({ serial, reversed: given, remaining, restored }) => {
          const reversed = amountOf(given, terms);
          return { serial, reversed, parts: difference(terms, remaining + reversed, remaining), restored };
        }),
      };
    case "rules":
      return entry.rules.revoked ? { kind: "revoke" } : null;
    default:
      return null;
  }
}

function amountOf({ discount, currency }: Discount, { terms }: PostingTerms): number {
  if (currency === terms.currency) return discount;
  throw new Error(`money in ${currency} of a batch in ${terms.currency}`);
}

/** What each party gets back where a redemption's discount goes from one amount to a smaller one. */
function difference(terms: PostingTerms, before: number, after: number): number[] {
  const left = terms.split(after);
  return terms.split(before).map((part, index) => part - (left[index] as number));
}

/** Coupons that a step touches after their issue. */
export function couponsOf({ batch, shard }: { batch: number; shard: number }, step: Step): CouponKey[] {
  switch (step.kind) {
    case "lock":
    case "deactivate":
      return step.serials.map((serial) => ({ batch, shard, serial }));
    case "redeem":
    case "reverse":
      return step.items.map(({ serial }) => ({ batch, shard, serial }));
    default:
      return [];
  }
}
