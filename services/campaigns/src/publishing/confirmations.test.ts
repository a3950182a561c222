import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Confirmations, type InForce, type RulesReport, shortSince } from "./confirmations.ts";

function collect(): { confirmations: Confirmations; told: InForce[] } {
  const told: InForce[] = [];
  return { confirmations: new Confirmations((inForce) => told.push(inForce)), told };
}

const report = (shard: number, version: number, shortBy = 0, shards = 3): RulesReport => ({
  ...{ batchId: "b", shard, version, shortBy, shards },
});

describe("what is in force", () => {
  test("is the oldest version among all shards, told once", () => {
    const { confirmations, told } = collect();
    confirmations.report(report(0, 5));
    confirmations.report(report(1, 6));
    expect(told).toEqual([]);
    confirmations.report(report(2, 5));
    confirmations.report(report(2, 5));
    confirmations.report(report(0, 7));
    confirmations.report(report(2, 7));
    expect(told.map(({ version }) => version)).toEqual([5, 6]);
  });

  test("does not depend on order or repetition: it is the least of the greatest of each shard", () => {
    const reports = fc.array(fc.tuple(fc.nat({ max: 2 }), fc.integer({ min: 1, max: 9 })), { maxLength: 40 });
    fc.assert(
      fc.property(reports, (list) => {
        const { confirmations } = collect();
        const newest = [0, 0, 0];
        for (const [shard, version] of list) {
          confirmations.report(report(shard, version));
          newest[shard] = Math.max(newest[shard] ?? 0, version);
        }
        expect(confirmations.inForce("b")?.version ?? 0).toBe(Math.min(...newest));
      }),
    );
  });

  test("adds up what shards were short by since a version; who confirms again does not take it back", () => {
    const { confirmations, told } = collect();
    confirmations.report(report(0, 5, 3));
    confirmations.report(report(0, 5, 0));
    confirmations.report(report(1, 6, 4));
    confirmations.report(report(2, 6));
    const [inForce] = told;
    if (inForce === undefined) throw new Error("nothing was told");
    expect(shortSince(inForce, 5)).toBe(7);
    expect(shortSince(inForce, 6)).toBe(4);
    expect(shortSince(inForce, 7)).toBe(0);
  });

  test("is forgotten only where every shard has the very version that is on record", () => {
    const { confirmations } = collect();
    for (const shard of [0, 1, 2]) confirmations.report(report(shard, 5));
    confirmations.report(report(0, 6));
    confirmations.forget("b", 5);
    for (const shard of [1, 2]) confirmations.report(report(shard, 6));
    expect(confirmations.inForce("b")?.version).toBe(6);
    confirmations.forget("b", 6);
    expect(confirmations.inForce("b")).toBeNull();
  });

  test("takes no more memory than a bounded number of batches", () => {
    const { confirmations } = collect();
    for (let i = 0; i < 2_001; i += 1) confirmations.report({ ...report(0, 1, 0, 1), batchId: `b${i}` });
    expect(confirmations.inForce("b0")).toBeNull();
    expect(confirmations.inForce("b2000")?.version).toBe(1);
  });
});

describe("a wait", () => {
  test("ends at once for what is known, with what comes, or in time with nothing", async () => {
    const { confirmations } = collect();
    for (const shard of [0, 1, 2]) confirmations.report(report(shard, 5));
    expect((await confirmations.wait("b", 4, 1_000))?.version).toBe(5);
    const waiting = confirmations.wait("b", 6, 1_000);
    const late = confirmations.wait("b", 8, 1);
    for (const shard of [0, 1, 2]) confirmations.report(report(shard, 7));
    expect((await waiting)?.version).toBe(7);
    expect(await late).toBeNull();
  });

  test("ends unconfirmed when the service stops", async () => {
    const { confirmations } = collect();
    const waiting = confirmations.wait("b", 1, 60_000);
    confirmations.stop();
    expect(await waiting).toBeNull();
  });
});
