import type { BatchDefinition } from "@coupon/domain";
import { describe, expect, it } from "vitest";
import {
  applied,
  books,
  changeRecord,
  changeSlot,
  key,
  plantAndRepair,
  platform,
  sql,
} from "./support/planted-drifts.ts";

describe("the audit", () => {
  it.each<
    [string, { store: string; kind: string; serial: number | null }, (batch: BatchDefinition) => Promise<unknown>]
  >([
    [
      "a row that is missing",
      { store: "postgresql", kind: "missing", serial: 3 },
      (b) => sql("DELETE FROM ledger.coupon WHERE batch = $1 AND serial = 3", b.batchNumber),
    ],
    [
      "a row in another state",
      { store: "postgresql", kind: "state", serial: 4 },
      (b) => sql("UPDATE ledger.coupon SET state = 3 WHERE batch = $1 AND serial = 4", b.batchNumber),
    ],
    [
      "a row of another user",
      { store: "postgresql", kind: "facts", serial: 5 },
      (b) => sql("UPDATE ledger.coupon SET user_id = 'thief' WHERE batch = $1 AND serial = 5", b.batchNumber),
    ],
    [
      "an amount off by one",
      { store: "postgresql", kind: "facts", serial: 0 },
      (b) => sql("UPDATE ledger.redemption SET discount = discount + 1 WHERE batch = $1 AND serial = 0", b.batchNumber),
    ],
    [
      "a redemption twice",
      { store: "postgresql", kind: "facts", serial: 0 },
      (b) =>
        sql(
          "INSERT INTO ledger.redemption SELECT batch, shard, serial, number + 1, caller_id, order_id, payload, redeemed_at_ms, discount, currency, lines FROM ledger.redemption WHERE batch = $1",
          b.batchNumber,
        ),
    ],
    [
      "state bits of another state",
      { store: "redis", kind: "state", serial: 6 },
      (b) => platform.redis.call("BITFIELD", key(b, "s0"), "SET", "u2", "#6", "3"),
    ],
    [
      "an amount in a record off by one",
      { store: "redis", kind: "facts", serial: 0 },
      (b) => changeRecord(key(b, "c0")),
    ],
    ["a slot that is missing", { store: "redis", kind: "missing", serial: 7 }, (b) => changeSlot(b, 7, () => null)],
    [
      "a slot with another key",
      { store: "redis", kind: "facts", serial: 8 },
      (b) => changeSlot(b, 8, (slot) => Buffer.from(slot).fill(1, 3)),
    ],
    [
      "a coupon in two slots",
      { store: "redis", kind: "doubled", serial: 9 },
      (b) => changeSlot(b, 9, (slot) => Buffer.concat([slot, slot])),
    ],
  ])("finds %s, names it, and it is repaired", async (_, expected, change) => {
    const made = await books();
    await plantAndRepair(made, () => change(made.batch), expected);
  });

  it("finds a row of a coupon that was never issued", async () => {
    const { batch } = await books();
    await sql(
      `INSERT INTO ledger.coupon SELECT key_hash, issued_at_ms, batch, serial + 1, shard, state, via, user_id, caller_id
       FROM ledger.coupon WHERE batch = $1 ORDER BY serial DESC LIMIT 1`,
      batch.batchNumber,
    );
    const audit = await platform.audit({ batchId: batch.batchId });
    expect(audit.discrepancies).toMatchObject([{ store: "postgresql", kind: "unexpected" }]);
    await platform.correct(audit.reconciliationId, [audit.discrepancies[0].discrepancyId]);
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean" });
  });

  it("finds state bits in the last of several pages, which nobody had come to", async () => {
    const { batch } = await books();
    const users = Array.from({ length: 4_200 }, (_, user) => ({ userId: `many-${user}` }));
    const granted = await platform.client.grant(batch.batchId, users);
    expect(granted.outcomes.every(({ outcome }) => outcome === "issued")).toBe(true);
    await applied(batch);
    await platform.redis.call("BITFIELD", key(batch, "s1"), "SET", "u2", "#100", "3");
    const { discrepancies } = await platform.audit({ batchId: batch.batchId });
    expect(discrepancies).toMatchObject([{ store: "redis", kind: "state", serial: 4_196 }]);
  });
});
