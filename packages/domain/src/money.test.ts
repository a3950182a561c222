import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allocate, multiply, multiplyDivide } from "./money.ts";

const MAX = Number.MAX_SAFE_INTEGER;
const anyAmount = fc.oneof(fc.nat(1_000), fc.integer({ min: 0, max: MAX }));

describe("multiplyDivide", () => {
  it("is exact, also where the product leaves the safe integers", () => {
    fc.assert(
      fc.property(anyAmount, anyAmount, fc.integer({ min: 1, max: MAX }), (factor, multiplier, divisor) => {
        const product = BigInt(factor) * BigInt(multiplier);
        const quotient = product / BigInt(divisor);
        fc.pre(quotient <= BigInt(MAX));
        expect(multiplyDivide(factor, multiplier, divisor)).toEqual({
          quotient: Number(quotient),
          remainder: Number(product % BigInt(divisor)),
        });
      }),
    );
  });

  it("refuses a quotient that is not a safe integer", () => {
    expect(() => multiplyDivide(MAX, 2, 1)).toThrow(RangeError);
  });
});

describe("multiply", () => {
  it("is exact or refuses", () => {
    fc.assert(
      fc.property(anyAmount, fc.oneof(fc.nat(10), anyAmount), (factor, multiplier) => {
        const product = BigInt(factor) * BigInt(multiplier);
        if (product > BigInt(MAX)) expect(() => multiply(factor, multiplier)).toThrow(RangeError);
        else expect(multiply(factor, multiplier)).toBe(Number(product));
      }),
    );
    expect(multiply(MAX, 1)).toBe(MAX);
    expect(() => multiply(2 ** 26, 2 ** 27)).toThrow(RangeError);
  });
});

describe("allocate", () => {
  it("gives what is left over to the largest remainders, the earlier first", () => {
    expect(allocate(1_000, [3_000, 3_000, 3_000])).toEqual([334, 333, 333]);
    expect(allocate(100, [999, 500, 501])).toEqual([50, 25, 25]);
    expect(allocate(5, [1, 1, 1, 1, 1, 1, 1])).toEqual([1, 1, 1, 1, 1, 0, 0]);
    expect(allocate(10, [0, 7, 0, 7])).toEqual([0, 5, 0, 5]);
  });

  it("adds up, stays within a unit of the exact share, and never takes more than there is", () => {
    const anyWeights = fc
      .array(fc.oneof(fc.nat(20), fc.integer({ min: 0, max: Math.floor(MAX / 12) })), { minLength: 1, maxLength: 12 })
      .filter((weights) => weights.some((weight) => weight > 0));
    fc.assert(
      fc.property(anyWeights, fc.bigInt({ min: 0n, max: 1_000_000n }), (weights, share) => {
        const sum = weights.reduce((a, b) => a + b, 0);
        const total = Number((BigInt(sum) * share) / 1_000_000n);
        const parts = allocate(total, weights);
        expect(parts.reduce((a, b) => a + b, 0)).toBe(total);
        for (const [index, part] of parts.entries()) {
          const weight = weights[index] as number;
          expect(part).toBeLessThanOrEqual(weight);
          const distance = BigInt(part) * BigInt(sum) - BigInt(total) * BigInt(weight);
          expect(distance < BigInt(sum) && -distance < BigInt(sum)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("gives 0 to all of 0 and has no answer for weights of 0", () => {
    expect(allocate(0, [0, 0])).toEqual([0, 0]);
    expect(() => allocate(1, [0, 0])).toThrow(RangeError);
    expect(() => allocate(1, [MAX, MAX])).toThrow(RangeError);
  });
});
