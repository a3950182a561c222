import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Parts, startParts } from "../../src/faults/parts.ts";
import { drainUnder, HOT_OWNER, LAST_OWNER, type Strike, type Struck } from "./drain-world.ts";

let parts: Parts;
beforeAll(async () => {
  parts = await startParts();
}, 120_000);
afterAll(() => parts.stop());

const hotOwner = { service: "issuing", index: HOT_OWNER } as const;
const lastOwner = { service: "issuing", index: LAST_OWNER } as const;

/** The last ones are at whom others must ask before they may say that nothing is left: for longer than a request waits. */
const strikes: Record<string, Strike[]> = {
  "an owner killed, Redis emptied as it won't start, the broker's replies to the owner of the last stock lost": [
    { soldPercent: 20, fault: { kind: "process-kill", process: hotOwner, awayMs: 300 } },
    { soldPercent: 45, fault: { kind: "redis-truncate", damage: "garbage", at: 50_000, awayMs: 100 }, note: "emptied" },
    { soldPercent: 70, fault: { kind: "kafka-drop-replies", process: lastOwner, lastsMs: 6_000 } },
  ],
  "an owner stopped over its take-over, Redis wiped, the owner of the last stock killed": [
    { soldPercent: 20, fault: { kind: "process-stop", process: hotOwner, lastsMs: 2_000 } },
    { soldPercent: 45, fault: { kind: "redis-wipe" } },
    { soldPercent: 70, fault: { kind: "process-kill", process: lastOwner, awayMs: 0 } },
  ],
  "Redis failed over to a lagging replica, Redis cut during a script, the broker stopped": [
    { soldPercent: 20, fault: { kind: "redis-failover", lagMs: 300, moved: 0b0101, oldMasterMs: 600 } },
    { soldPercent: 45, fault: { kind: "redis-cut", index: HOT_OWNER, moment: "during" } },
    { soldPercent: 70, fault: { kind: "kafka-pause", lastsMs: 1_000 } },
  ],
};

describe("a batch over 8 shards of 4 owners is sold to the last coupon by a skewed crowd, under", () => {
  test.for(Object.entries(strikes))("%s", async ([, faults], { expect: verify }) => {
    const drained = await drainUnder(parts, 1, faults);
    verify(drained.shardsOf).toEqual([2, 2, 2, 2]);
    expectStruckInTime(drained.struck, faults);
    verify(drained.refusedEarly).toEqual([]);
    verify([...drained.couponsOf.values()].map(({ size }) => size).filter((size) => size !== 1)).toEqual([]);
    verify(new Set([...drained.couponsOf.values()].flatMap((coupons) => [...coupons])).size).toBe(drained.total - 8);
    verify(new Set(drained.late)).toEqual(new Set(["stock_exhausted"]));
    verify({ findings: drained.findings, stuck: drained.stuck }).toEqual({ findings: [], stuck: [] });
    verify(drained.issuedByLedger).toBe(drained.total);
  });
});

/** Each fault struck when its share of the stock was sold, and was over while there was stock left. */
function expectStruckInTime(struck: readonly Struck[], faults: readonly Strike[]): void {
  expect(struck.map(({ kind, stuck, note }) => [kind, stuck, note])).toEqual(
    faults.map(({ fault, note = "" }) => [fault.kind, "", note]),
  );
  for (const [index, { soldPercentFrom, soldPercentTo }] of struck.entries()) {
    // A coupon less for the rounding.
    expect(soldPercentFrom).toBeGreaterThan((faults[index]?.soldPercent ?? 100) - 1);
    expect(soldPercentTo).toBeLessThan(100);
  }
}
