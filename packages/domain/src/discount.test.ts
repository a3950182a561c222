import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { greatestDiscount, greatestLiability, judgeDiscount } from "./discount.ts";
import type { Benefit, Order, OrderLine, Scope, Template } from "./model.ts";
import { checkOrder } from "./order.ts";

type Terms = Pick<Template, "benefit" | "minimumSpend" | "scope">;

const amountOff = (amount: number, currency = "CNY"): Benefit => ({ kind: "amount_off", amount, currency });
const percentOff = (basisPointsOff: number, maxAmount: number): Benefit => ({
  kind: "percent_off",
  basisPointsOff,
  maxAmount,
  currency: "CNY",
});

/** An order of lines `[product, quantity, unitAmount]`. */
function order(...goods: [product: string, quantity: number, unitAmount: number][]): Order {
  const lines: OrderLine[] = goods.map(([productId, quantity, unitAmount], index) => ({
    lineId: `${index + 1}`,
    productId,
    quantity,
    unitAmount,
  }));
  const amount = goods.reduce((sum, [, quantity, unitAmount]) => sum + quantity * unitAmount, 0);
  return { amount, currency: "CNY", lines };
}

function parts(terms: Terms, of: Order): number[] | string {
  const judged = judgeDiscount(terms, of);
  return judged.kind === "discount" ? judged.discount.lines.map(({ discount }) => discount) : judged.kind;
}

describe("judgeDiscount", () => {
  it("allocates in proportion to the lines' amounts", () => {
    const three = order(["a", 1, 3_000], ["b", 2, 1_500], ["c", 3, 1_000]);
    expect(judgeDiscount({ benefit: amountOff(1_000) }, three)).toEqual({
      kind: "discount",
      discount: {
        discount: 1_000,
        currency: "CNY",
        lines: [
          { lineId: "1", quantity: 1, discount: 334 },
          { lineId: "2", quantity: 2, discount: 333 },
          { lineId: "3", quantity: 3, discount: 333 },
        ],
      },
    });
  });

  it("lists lines out of scope with 0", () => {
    const scope = { productIds: ["a", "c"] };
    expect(parts({ benefit: amountOff(500), scope }, order(["a", 1, 1_000], ["b", 1, 9_000], ["c", 1, 2_000]))).toEqual(
      [167, 0, 333],
    );
  });

  it("caps an amount by the subtotal in scope", () => {
    const scope = { productIds: ["a"] };
    expect(parts({ benefit: amountOff(500), scope }, order(["a", 2, 120], ["b", 1, 9_000]))).toEqual([240, 0]);
  });

  it("rounds a percentage down", () => {
    expect(parts({ benefit: percentOff(1_500, 10_000) }, order(["a", 1, 999]))).toEqual([149]);
    expect(parts({ benefit: percentOff(3_333, 10_000) }, order(["a", 1, 100], ["b", 1, 200]))).toEqual([33, 66]);
  });

  it("caps a percentage by its maximum", () => {
    expect(parts({ benefit: percentOff(2_000, 5_000) }, order(["a", 1, 25_000]))).toEqual([5_000]);
    expect(parts({ benefit: percentOff(2_000, 5_000) }, order(["a", 1, 25_005]))).toEqual([5_000]);
    expect(parts({ benefit: percentOff(2_000, 5_000) }, order(["a", 1, 24_999]))).toEqual([4_999]);
  });

  it("has nothing to discount where a percentage is less than a unit, or all is free, or out of scope", () => {
    expect(parts({ benefit: percentOff(100, 10) }, order(["a", 1, 99]))).toBe("nothing_to_discount");
    expect(parts({ benefit: amountOff(100) }, order(["a", 5, 0]))).toBe("nothing_to_discount");
    expect(parts({ benefit: amountOff(100), scope: { productIds: ["z"] } }, order(["a", 1, 99]))).toBe(
      "nothing_to_discount",
    );
  });

  it("has nothing to discount in another currency, whatever the minimum", () => {
    const minimumSpend = { amount: 1_000_000, currency: "USD" };
    expect(parts({ benefit: amountOff(100, "USD") }, order(["a", 1, 500]))).toBe("nothing_to_discount");
    expect(parts({ benefit: amountOff(100, "USD"), minimumSpend }, order(["a", 1, 500]))).toBe("nothing_to_discount");
  });

  it("compares the minimum spend with the subtotal in scope", () => {
    const minimumSpend = { amount: 10_000, currency: "CNY" };
    const scope: Scope = { productIds: ["a"] };
    const terms = { benefit: amountOff(1_000), minimumSpend, scope };
    expect(parts(terms, order(["a", 1, 9_999], ["b", 1, 50_000]))).toBe("minimum_spend_not_met");
    expect(parts(terms, order(["a", 1, 10_000]))).toEqual([1_000]);
    expect(parts(terms, order(["b", 1, 50_000]))).toBe("minimum_spend_not_met");
  });

  it("is exact where products pass 2^53", () => {
    const large = order(["a", 4_000, 1_000_000_000_000], ["b", 4_000, 1_000_000_000_000], ["c", 1, 1]);
    expect(checkOrder(large)).toEqual([]);
    expect(parts({ benefit: percentOff(9_999, 1e12) }, large)).toEqual([500_000_000_000, 500_000_000_000, 0]);
  });
});

const anyOrder = fc
  .array(
    fc.tuple(
      fc.constantFrom("a", "b", "c"),
      fc.integer({ min: 1, max: 1_000 }),
      fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 1e11 })),
    ),
    { minLength: 1, maxLength: 20 },
  )
  .map((goods) => order(...goods));
const anyBenefit = fc.oneof(
  fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 1e12 })).map((amount) => amountOff(amount)),
  fc
    .tuple(fc.integer({ min: 1, max: 10_000 }), fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.constant(1e12)))
    .map(([basisPoints, most]) => percentOff(basisPoints, most)),
);
const anyScope = fc.option(fc.subarray(["a", "b", "c"], { minLength: 1 }), { nil: undefined });

describe("over any order and benefit", () => {
  it("adds up, stays within every line, within the benefit and within the scope", () => {
    fc.assert(
      fc.property(anyOrder, anyBenefit, anyScope, (of, benefit, products) => {
        expect(checkOrder(of)).toEqual([]);
        const judged = judgeDiscount(products ? { benefit, scope: { productIds: products } } : { benefit }, of);
        if (judged.kind !== "discount") return;
        const { discount, lines } = judged.discount;
        expect(lines.reduce((sum, each) => sum + each.discount, 0)).toBe(discount);
        expect(discount).toBeGreaterThan(0);
        expect(discount).toBeLessThanOrEqual(greatestDiscount({ benefit }));
        expect(lines.map(({ lineId }) => lineId)).toEqual(of.lines.map(({ lineId }) => lineId));
        for (const [index, each] of lines.entries()) {
          const { quantity, unitAmount, productId } = of.lines[index] as OrderLine;
          expect(each.quantity).toBe(quantity);
          expect(each.discount).toBeGreaterThanOrEqual(0);
          expect(each.discount).toBeLessThanOrEqual(quantity * unitAmount);
          if (products && !products.includes(productId)) expect(each.discount).toBe(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("never gives a larger order less", () => {
    fc.assert(
      fc.property(anyOrder, anyBenefit, fc.integer({ min: 1, max: 1e6 }), (of, benefit, more) => {
        const [first, ...rest] = of.lines as [OrderLine, ...OrderLine[]];
        const larger = {
          ...of,
          amount: of.amount + first.quantity * more,
          lines: [{ ...first, unitAmount: first.unitAmount + more }, ...rest],
        };
        const sum = (judged: ReturnType<typeof judgeDiscount>) =>
          judged.kind === "discount" ? judged.discount.discount : 0;
        expect(sum(judgeDiscount({ benefit }, larger))).toBeGreaterThanOrEqual(sum(judgeDiscount({ benefit }, of)));
      }),
    );
  });
});

describe("greatestLiability", () => {
  it("is stock × greatest discount", () => {
    expect(greatestLiability({ benefit: amountOff(1_250) }, 1_000)).toEqual({ amount: 1_250_000, currency: "CNY" });
    expect(greatestLiability({ benefit: percentOff(500, 99) }, 3)).toEqual({ amount: 297, currency: "CNY" });
  });

  it("refuses to overflow", () => {
    expect(() => greatestLiability({ benefit: amountOff(1e12) }, 2 ** 30)).toThrow(RangeError);
    expect(() => greatestLiability({ benefit: amountOff(2 ** 26) }, 2 ** 27)).toThrow(RangeError);
  });
});
