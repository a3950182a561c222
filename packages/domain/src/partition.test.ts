import fc from "fast-check";
import { expect, it } from "vitest";
import { partitionOf } from "./partition.ts";

const anyBatch = fc.integer({ min: 0, max: 2 ** 32 - 1 });

it("puts consecutive shards of a batch on consecutive partitions", () => {
  fc.assert(
    fc.property(anyBatch, fc.nat(1_023), fc.integer({ min: 1, max: 512 }), (batch, shard, partitions) => {
      const here = partitionOf(batch, shard, partitions);
      expect(here).toBeGreaterThanOrEqual(0);
      expect(here).toBeLessThan(partitions);
      expect(partitionOf(batch, shard + 1, partitions)).toBe((here + 1) % partitions);
    }),
  );
});

it("spreads batches with neighbouring numbers evenly", () => {
  const counts = new Array(12).fill(0);
  for (let batch = 1; batch <= 12_000; batch++) counts[partitionOf(batch, 0, 12)]++;
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
});

it("never moves: logs stand where these figures say", () => {
  const places = [1, 2, 3, 26, 4_294_967_295].map((batch) => partitionOf(batch, 0, 12));
  expect(places).toEqual([7, 10, 7, 9, 1]);
});

it("refuses a topic without partitions", () => {
  for (const partitions of [0, -1, 1.5]) expect(() => partitionOf(1, 0, partitions)).toThrow(RangeError);
});
