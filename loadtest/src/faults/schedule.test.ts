import { describe, expect, test } from "vitest";
import { faultWeights } from "./fault.ts";
import { drawSchedule } from "./schedule.ts";

const seeds = Array.from({ length: 400 }, (_, seed) => seed);

describe("a schedule", () => {
  test.each([0, 1, 7, 123_456_789])("of seed %i is drawn again to the last step", (seed) => {
    expect(drawSchedule(seed)).toEqual(drawSchedule(seed));
  });

  test("of another seed is another one", () => {
    expect(new Set(seeds.map((seed) => JSON.stringify(drawSchedule(seed)))).size).toBe(seeds.length);
  });

  test("of some seed has each kind of fault, each moment of a cut, and each damage to a file", () => {
    const faults = seeds.flatMap((seed) => drawSchedule(seed).faults);
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(Object.keys(faultWeights)));
    const moments = faults.flatMap((fault) => (fault.kind === "redis-cut" ? [fault.moment] : []));
    expect(new Set(moments)).toEqual(new Set(["before", "during", "after"]));
    const damages = faults.flatMap((fault) => (fault.kind === "redis-truncate" ? [fault.damage] : []));
    expect(new Set(damages)).toEqual(new Set(["cut", "cut_strictly", "garbage", "base", "manifest"]));
  });

  test("names only processes, batches and shards that it has", () => {
    for (const { faults, issuing, ledgers, batches } of seeds.map((seed) => drawSchedule(seed))) {
      for (const fault of faults) {
        if ("index" in fault) expect(fault.index).toBeLessThan(issuing);
        if ("process" in fault) {
          expect(fault.process.index).toBeLessThan(fault.process.service === "issuing" ? issuing : ledgers);
        }
        if (fault.kind === "clock-step") expect(fault.shard).toBeLessThan(batches[fault.batch]?.shards ?? 0);
      }
    }
  });
});
