import fc from "fast-check";
import { expect, it } from "vitest";
import { shardPart } from "./split-stock.ts";

const anyTotal = fc.oneof(fc.nat(2_000), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));

it("gives parts that add up exactly and differ by one at most", () => {
  fc.assert(
    fc.property(anyTotal, fc.integer({ min: 1, max: 1_024 }), (total, shards) => {
      const parts = Array.from({ length: shards }, (_, index) => shardPart(total, shards, index));
      expect(parts.reduce((sum, part) => sum + BigInt(part), 0n)).toBe(BigInt(total));
      expect((parts[0] as number) - (parts.at(-1) as number)).toBeLessThanOrEqual(1);
      expect(parts.toSorted((a, b) => b - a)).toEqual(parts);
    }),
  );
  expect([0, 1, 2].map((index) => shardPart(10, 3, index))).toEqual([4, 3, 3]);
});

it("refuses what is no split", () => {
  for (const [total, shards, index] of [
    [-1, 1, 0],
    [1.5, 1, 0],
    [2 ** 53, 1, 0],
    [1, 0, 0],
    [1, 1, 1],
    [1, 1, -1],
    [1, 2, 0.5],
  ] as const) {
    expect(() => shardPart(total, shards, index)).toThrow(RangeError);
  }
});
