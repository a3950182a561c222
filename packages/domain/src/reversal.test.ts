import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Discount } from "./model.ts";
import {
  judgeReversal,
  REVERSALS_MAX,
  type ReversalAsk,
  type ReversibleRedemption,
  reversalPayloadHash,
} from "./reversal.ts";

const discountOf = (...lines: [lineId: string, quantity: number, discount: number][]): Discount => ({
  discount: lines.reduce((sum, [, , discount]) => sum + discount, 0),
  currency: "CNY",
  lines: lines.map(([lineId, quantity, discount]) => ({ lineId, quantity, discount })),
});
const ask = (...lines: [lineId: string, quantity: number][]): ReversalAsk => ({
  lines: lines.map(([lineId, quantity]) => ({ lineId, quantity })),
});

/** Reverses step by step; the last step's judgement, short. */
function reverse(discount: Discount, ...asks: ReversalAsk[]): [number, number, boolean] | string {
  let redemption: ReversibleRedemption = { discount, reversals: [] };
  let last: [number, number, boolean] | string = "";
  for (const each of asks) {
    const judged = judgeReversal(redemption, each);
    if (judged.kind !== "reversed") return judged.kind;
    redemption = { discount, reversals: [...redemption.reversals, judged] };
    last = [judged.reversed.discount, judged.remaining, judged.complete];
  }
  return last;
}

describe("judgeReversal", () => {
  const three = discountOf(["1", 3, 100], ["2", 1, 50]);
  const one = ask(["1", 1]);

  it("gives back in steps what adds up to the discount", () => {
    expect(reverse(three, one)).toEqual([33, 117, false]);
    expect(reverse(three, one, one)).toEqual([33, 84, false]);
    expect(reverse(three, one, one, one)).toEqual([34, 50, false]);
    expect(reverse(three, one, one, one, ask(["2", 1]))).toEqual([50, 0, true]);
  });

  it("says line by line what it takes back", () => {
    expect(judgeReversal({ discount: three, reversals: [] }, ask(["2", 1], ["1", 2]))).toEqual({
      kind: "reversed",
      reversed: discountOf(["2", 1, 50], ["1", 2, 66]),
      remaining: 34,
      complete: false,
    });
  });

  it("takes everything that is left with all", () => {
    expect(reverse(three, { all: true })).toEqual([150, 0, true]);
    expect(reverse(three, one, { all: true })).toEqual([117, 0, true]);
    expect(reverse(three, { all: true }, { all: true })).toBe("reversal_exceeds_redemption");
  });

  it("reverses a line without a discount for 0, and completes only once", () => {
    const scoped = discountOf(["1", 1, 500], ["2", 2, 0]);
    expect(reverse(scoped, ask(["2", 1]))).toEqual([0, 500, false]);
    expect(reverse(scoped, ask(["1", 1]))).toEqual([500, 0, true]);
    expect(reverse(scoped, ask(["1", 1]), ask(["2", 2]))).toEqual([0, 0, false]);
    expect(reverse(scoped, ask(["1", 1]), { all: true })).toEqual([0, 0, false]);
  });

  it("refuses more units than a line has left, and then takes nothing", () => {
    expect(reverse(three, ask(["1", 4]))).toBe("reversal_exceeds_redemption");
    expect(reverse(three, one, ask(["1", 3]))).toBe("reversal_exceeds_redemption");
    expect(reverse(three, ask(["2", 1], ["1", 4]))).toBe("reversal_exceeds_redemption");
    expect(reverse(three, ask(["1", Number.MAX_SAFE_INTEGER]))).toBe("reversal_exceeds_redemption");
  });

  it("points at what is wrong with a request", () => {
    const lines = [
      { lineId: "1", quantity: 0 },
      { lineId: "9", quantity: 1 },
      { lineId: "1", quantity: 1.5 },
      { lineId: "2", quantity: -1 },
    ];
    expect(judgeReversal({ discount: three, reversals: [] }, { lines })).toEqual({
      kind: "request_invalid",
      errors: [
        { pointer: "/lines/0/quantity", message: "is not a positive integer" },
        { pointer: "/lines/1/lineId", message: "is not a line of the order" },
        { pointer: "/lines/2/lineId", message: "is named twice" },
        { pointer: "/lines/2/quantity", message: "is not a positive integer" },
        { pointer: "/lines/3/quantity", message: "is not a positive integer" },
      ],
    });
    expect(judgeReversal({ discount: three, reversals: [] }, { lines: [] }, "/x")).toEqual({
      kind: "request_invalid",
      errors: [{ pointer: "/x/lines", message: "is empty" }],
    });
  });

  it("takes so many reversals and no more, the last of them all that is left", () => {
    const many = discountOf(["1", REVERSALS_MAX + 5, 1_000]);
    const parts = Array.from({ length: REVERSALS_MAX - 1 }, () => one);
    expect(reverse(many, ...parts)).toEqual([expect.any(Number), expect.any(Number), false]);
    expect(reverse(many, ...parts, one)).toBe("too_many_reversals");
    expect(reverse(many, ...parts, ask(["1", 7]))).toBe("reversal_exceeds_redemption");
    expect(reverse(many, ...parts, ask(["1", 6]))).toEqual([expect.any(Number), 0, true]);
    expect(reverse(many, ...parts, { all: true })).toEqual([expect.any(Number), 0, true]);
  });

  it("is exact where products pass 2^53", () => {
    const large = discountOf(["1", 1_000_000, 1_000_000_000_001]);
    expect(reverse(large, ask(["1", 999_999]))).toEqual([999_999_000_000, 1_000_001, false]);
    expect(reverse(large, ask(["1", 999_999]), { all: true })).toEqual([1_000_001, 0, true]);
  });
});

describe("over any redemption, in any steps", () => {
  const anyLine = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.oneof(fc.nat(30), fc.integer({ min: 0, max: 1e12 })));
  const anyDiscount = fc
    .array(anyLine, { minLength: 1, maxLength: 5 })
    .map((lines) =>
      discountOf(
        ...lines.map(([quantity, discount], index) => [`${index}`, quantity, discount] as [string, number, number]),
      ),
    )
    .filter(({ discount }) => discount > 0);
  const anyAsks = fc.array(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 12 })), { maxLength: 30 });

  it("never gives back more than a line had and, in the end, exactly the discount, completing once", () => {
    fc.assert(
      fc.property(anyDiscount, anyAsks, (discount, asks) => {
        let redemption: ReversibleRedemption = { discount, reversals: [] };
        const steps: ReversalAsk[] = [...asks.map(([index, quantity]) => ask([`${index}`, quantity])), { all: true }];
        const perLine = new Map<string, number>();
        let total = 0;
        let completions = 0;
        for (const step of steps) {
          const judged = judgeReversal(redemption, step);
          if (judged.kind !== "reversed") continue;
          redemption = { discount, reversals: [...redemption.reversals, judged] };
          total += judged.reversed.discount;
          if (judged.complete) completions++;
          expect(judged.remaining).toBe(discount.discount - total);
          for (const { lineId, discount: taken } of judged.reversed.lines) {
            expect(taken).toBeGreaterThanOrEqual(0);
            perLine.set(lineId, (perLine.get(lineId) ?? 0) + taken);
          }
        }
        expect(total).toBe(discount.discount);
        expect(completions).toBe(1);
        for (const { lineId, discount: had } of discount.lines) expect(perLine.get(lineId) ?? 0).toBe(had);
      }),
      { numRuns: 500 },
    );
  });
});

describe("reversalPayloadHash", () => {
  it("is the same for the same lines in any order and differs for others", () => {
    const hashes = [{ all: true } as const, ask(["1", 1]), ask(["1", 2]), ask(["1", 1], ["2", 1]), ask(["1,1", 1])].map(
      reversalPayloadHash,
    );
    expect(new Set(hashes).size).toBe(hashes.length);
    for (const each of hashes) expect(each).toMatch(/^[0-9a-f]{16}$/);
    expect(reversalPayloadHash(ask(["2", 1], ["1", 1]))).toBe(hashes[3]);
  });
});
