import fc from "fast-check";
import { expect, test } from "vitest";
import { slopeOf } from "./slope.ts";

const series = (count: number, y: (x: number) => number) => Array.from({ length: count }, (_, x) => ({ x, y: y(x) }));

test("a straight line has its slope, whatever it begins with", () => {
  const numbers = fc.integer({ min: -1_000, max: 1_000 });
  fc.assert(
    fc.property(numbers, numbers, fc.integer({ min: 4, max: 40 }), (start, slope, count) => {
      const found = slopeOf(series(count, (x) => start + slope * x));
      expect(found).toEqual({ value: slope, low: slope, high: slope });
    }),
  );
});

test("spikes in a fifth of the points do not move a flat line", () => {
  expect(slopeOf(series(50, (x) => (x % 5 === 2 ? 1_000 : 7))).value).toBe(0);
});

test("the interval is about the slope beneath the noise", () => {
  const noise = [3, -5, 1, 4, -2, 0, 5, -4, 2, -3, -1];
  const noisy = (slope: number) => slopeOf(series(99, (x) => slope * x + (noise[x % noise.length] ?? 0)));
  for (const slope of [0, 0.5, -2]) {
    const { low, high } = noisy(slope);
    expect(low).toBeLessThanOrEqual(slope);
    expect(high).toBeGreaterThanOrEqual(slope);
    expect(high - low).toBeLessThan(0.1);
  }
  expect(noisy(0.5).low).toBeGreaterThan(0);
});

test("three points, or one place, have no slope", () => {
  expect(() => slopeOf(series(3, (x) => x))).toThrow(RangeError);
  expect(() => slopeOf([1, 2, 3, 4].map((y) => ({ x: 1, y })))).toThrow(RangeError);
});
