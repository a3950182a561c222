import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FundingSplit } from "./split-funding.ts";

/** Shares of 1 to 20 parties, from cuts of the whole at any place. */
const shares = fc
  .uniqueArray(
    fc.oneof(
      fc.integer({ min: 1, max: 9_999 }),
      fc.integer({ min: 1, max: 99 }).map((n) => n * 100),
    ),
    {
      maxLength: 19,
    },
  )
  .map((cuts) => [...cuts, 10_000].toSorted((a, b) => a - b))
  .map((cuts) => cuts.map((cut, index) => cut - (cuts[index - 1] ?? 0)));
const amount = fc.oneof(fc.integer({ min: 0, max: 30_000 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));

const sum = (parts: number[]) => parts.reduce((all, part) => all + BigInt(part), 0n);

describe("FundingSplit", () => {
  it("gives a single party everything", () => {
    expect(new FundingSplit([10_000]).split(12_345)).toEqual([12_345]);
  });

  it("gives units in the cycle of the quota method, the earlier of equals first", () => {
    const halves = new FundingSplit([5_000, 5_000]);
    expect([0, 1, 2, 3].map((units) => halves.split(units))).toEqual([
      [0, 0],
      [1, 0],
      [1, 1],
      [2, 1],
    ]);
    expect(new FundingSplit([6_000, 3_000, 1_000]).split(1_001)).toEqual([601, 300, 100]);
    expect(new FundingSplit([3_334, 3_333, 3_333]).split(100)).toEqual([34, 33, 33]);
  });

  it("adds up to the amount, and no part is a whole unit away from its exact share", () => {
    fc.assert(
      fc.property(shares, amount, (basisPoints, total) => {
        const parts = new FundingSplit(basisPoints).split(total);
        expect(sum(parts)).toBe(BigInt(total));
        for (const [index, part] of parts.entries()) {
          const off = BigInt(part) * 10_000n - BigInt(total) * BigInt(basisPoints[index] ?? 0);
          expect(off > -10_000n && off < 10_000n, `${part} of ${total} at ${basisPoints[index]}`).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("takes nothing from anybody where the amount grows by one, over the whole cycle", () => {
    fc.assert(
      fc.property(shares, (basisPoints) => {
        const split = new FundingSplit(basisPoints);
        let before = split.split(0);
        for (let units = 1; units <= 10_001; units += 1) {
          const parts = split.split(units);
          if (parts.some((part, index) => part < (before[index] ?? 0))) throw new Error(`${before} then ${parts}`);
          before = parts;
        }
      }),
      { numRuns: 30 },
    );
  });

  it("gives back, over any series of partial reversals, exactly what the redemption took, and never less than 0", () => {
    const asks = fc.array(fc.integer({ min: 1, max: 5_000 }), { maxLength: 12 });
    fc.assert(
      fc.property(shares, fc.integer({ min: 1, max: 40_000 }), asks, (basisPoints, total, steps) => {
        const split = new FundingSplit(basisPoints);
        const given = basisPoints.map(() => 0);
        let left = total;
        for (const step of [...steps, total]) {
          const after = Math.max(0, left - step);
          const [from, to] = [split.split(left), split.split(after)];
          for (const index of given.keys()) {
            const part = (from[index] ?? 0) - (to[index] ?? 0);
            expect(part).toBeGreaterThanOrEqual(0);
            given[index] = (given[index] ?? 0) + part;
          }
          left = after;
        }
        expect(given).toEqual(split.split(total));
      }),
    );
  });

  it.each([[[]], [[9_999]], [[10_001]], [[5_000.5, 4_999.5]], [[-1, 10_001]], [[0, 10_000]]])(
    "refuses the shares %j",
    (basisPoints) => {
      expect(() => new FundingSplit(basisPoints)).toThrow(RangeError);
    },
  );

  it.each([-1, 0.5, Number.NaN, 2 ** 53])("refuses to split %d", (total) => {
    expect(() => new FundingSplit([10_000]).split(total)).toThrow(RangeError);
  });
});
