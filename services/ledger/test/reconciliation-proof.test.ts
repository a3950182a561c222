import type { BatchDefinition } from "@coupon/domain";
import { eventually } from "@coupon/testkit";
import { describe, expect, it } from "vitest";
import { books, key, platform, proven, sql } from "./support/planted-drifts.ts";

describe("the running proof", () => {
  it("says that given = issued + left + in transfer", async () => {
    await books();
    // A shard proven at nine coupons stays so until the next look at it.
    const proof = await eventually(async () => {
      const latest = await platform.proof();
      return latest.stock.issued >= 10 && latest;
    });
    expect(proof.drifting).toEqual([]);
    expect(proof.stock.given).toBe(proof.stock.issued + proof.stock.left + proof.stock.inTransfer);
    expect(proof.oldestSeconds).toBeLessThan(5);
  });

  it.each<[string, (batch: BatchDefinition) => Promise<unknown>]>([
    ["stock left in Redis off by one", (batch) => platform.redis.hincrby(key(batch, "h"), "l", 1)],
    ["the day's first serial in Redis off by one", (batch) => platform.redis.hincrby(key(batch, "h"), "f", 1)],
    [
      "coupons issued in PostgreSQL off by one",
      (b) => sql("UPDATE ledger.shard SET issued = issued + 1 WHERE batch = $1", b.batchNumber),
    ],
    [
      "the discount given in PostgreSQL off by one",
      (b) => sql("UPDATE ledger.shard SET discounted = discounted - 1 WHERE batch = $1", b.batchNumber),
    ],
    [
      "the last entry's number in PostgreSQL beyond the log",
      (b) => sql("UPDATE ledger.shard SET number = number + 7 WHERE batch = $1", b.batchNumber),
    ],
    [
      "the last entry's number in PostgreSQL behind the log",
      (b) => sql("UPDATE ledger.shard SET number = number - 1 WHERE batch = $1", b.batchNumber),
    ],
    [
      "a shard whose row is gone from PostgreSQL",
      (b) => sql("DELETE FROM ledger.shard WHERE batch = $1", b.batchNumber),
    ],
  ])("finds %s within 5 s, and its audit repairs it", async (_, change) => {
    const { batch } = await books();
    const plantedAt = performance.now();
    await change(batch);
    const found = await eventually(
      async () =>
        (await platform.proof()).drifting.find(
          (each: { batchNumber: number }) => each.batchNumber === batch.batchNumber,
        ) ?? false,
      { timeoutMs: 10_000 },
    );
    expect(performance.now() - plantedAt).toBeLessThan(5_000);
    expect(found.drifts).toHaveLength(1);
    const run = await eventually(
      async () => {
        const { items } = (await platform.world.ops("/reconciliations")).body;
        return (
          items.find(
            (each: { trigger: string; batchNumber: number; finishedAt: string | null }) =>
              each.trigger === "proof" && each.batchNumber === batch.batchNumber && each.finishedAt !== null,
          ) ?? false
        );
      },
      { timeoutMs: 30_000 },
    );
    const audit = await platform.ended(run.reconciliationId);
    expect(audit.discrepancies).toMatchObject([{ kind: "counter", serial: null }]);
    await platform.correct(audit.reconciliationId, [audit.discrepancies[0].discrepancyId]);
    await proven();
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean" });
  });
});
