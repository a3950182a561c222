import type { BatchTerms } from "@coupon/database";
import type { Entry } from "@coupon/domain";
import fc from "fast-check";
import { expect, test } from "vitest";
import { stepOf } from "./steps.ts";
import { type PostingTerms, TermsBook } from "./terms.ts";

const shares = fc
  .uniqueArray(fc.integer({ min: 1, max: 9_999 }), { maxLength: 6 })
  .map((cuts) => [0, ...cuts.toSorted((a, b) => a - b), 10_000])
  .map((ends) => ends.slice(1).map((end, i) => end - (ends[i] as number)));

/** Amounts of reversals that follow one another, with what each leaves of the discount. */
const reversals = fc
  .array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 12 })
  .map((amounts) => ({ amounts, discount: amounts.reduce((sum, amount) => sum + amount, 0) }));

test("reversals in parts give each party back what it spent, to the unit", () => {
  fc.assert(
    fc.property(shares, reversals, (funding, { amounts, discount }) => {
      const terms = termsOf(funding);
      let remaining = discount;
      const back = funding.map(() => 0);
      for (const reversed of amounts) {
        remaining -= reversed;
        const parts = partsOf(reversal(reversed, remaining), terms);
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(reversed);
        for (const [party, part] of parts.entries()) back[party] = (back[party] as number) + part;
      }
      expect(back).toEqual(terms.split(discount));
    }),
  );
});

function termsOf(funding: number[]): PostingTerms {
  const book = new TermsBook();
  const terms: BatchTerms = {
    ...{ batch: 1, batchId: "bat_1", campaignId: "cmp_1", currency: "CNY", greatestDiscount: 100_000 },
    funding: funding.map((basisPoints, i) => ({ party: `party-${i}`, basisPoints })),
    ...{ validity: { days: 1, mode: "rolling" }, timeZone: "UTC" },
  };
  book.load([terms]);
  return book.of(1) as PostingTerms;
}

function reversal(discount: number, remaining: number): Entry {
  const place = { v: 1, batch: 1, shard: 0, number: 1, at: 0, prev: "" } as const;
  const of = { userId: "u", callerId: "c", orderId: "o", reversalId: "r", keyHash: "", payload: "", reason: "" };
  const reversed = { discount, currency: "CNY", lines: [] };
  return { ...place, kind: "reverse", items: [{ serial: 0, ...of, reversed, remaining, restored: false }] };
}

function partsOf(entry: Entry, terms: PostingTerms): readonly number[] {
  const step = stepOf(entry, terms);
  if (step?.kind !== "reverse") throw new Error("a reversal does something to money");
  return step.items[0]?.parts ?? [];
}
