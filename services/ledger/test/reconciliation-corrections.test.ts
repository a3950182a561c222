import { eventually } from "@coupon/testkit";
import { describe, expect, it } from "vitest";
import { books, changeSlot, platform, sql } from "./support/planted-drifts.ts";

describe("corrections", () => {
  it("of one discrepancy proposed by many at once are one", async () => {
    const { batch } = await books();
    await sql("UPDATE ledger.coupon SET state = 4 WHERE batch = $1 AND serial = 2", batch.batchNumber);
    const { reconciliationId, discrepancies } = await platform.audit({ batchId: batch.batchId });
    const path = `/reconciliations/${reconciliationId}/corrections`;
    const ask = { discrepancyIds: [discrepancies[0].discrepancyId], reason: "a finger slipped" };
    const names = ["olga", "petra", "quinn", "rita", "sven", "tom"];
    const answers = await Promise.all(names.map((name) => platform.world.post(path, ask, name, ["operator"])));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409, 409, 409]);
    const { corrections } = (await platform.world.ops(`/reconciliations/${reconciliationId}`)).body;
    expect(corrections).toHaveLength(1);
  });

  it("are approved by another person, for what is still as it was proposed, and stay on record", async () => {
    const { batch } = await books();
    await sql("UPDATE ledger.coupon SET state = 4 WHERE batch = $1 AND serial = 2", batch.batchNumber);
    const { reconciliationId, discrepancies } = await platform.audit({ batchId: batch.batchId });
    const { world } = platform;
    const path = `/reconciliations/${reconciliationId}/corrections`;
    const ask = { discrepancyIds: [discrepancies[0].discrepancyId], reason: "a finger slipped" };
    expect((await world.post(path, ask, "vera", ["viewer"])).body.code).toBe("role_missing");
    expect((await world.post(path, { ...ask, discrepancyIds: [1e9] }, "olga", ["operator"])).body.code).toBe(
      "request_invalid",
    );
    const proposed = await world.post(path, ask, "olga", ["operator", "approver"]);
    expect([proposed.status, proposed.headers.get("etag")]).toEqual([201, '"1"']);
    expect((await world.post(path, ask, "olga", ["operator"])).body.code).toBe("state_conflict");
    const approve = `${path}/${proposed.body.correctionId}/approve`;
    const approver = ["paul", ["approver"]] as const;
    const post = (who: string, roles: readonly string[], headers?: Record<string, string>) =>
      world.post(approve, undefined, who, [...roles], headers);
    expect((await post("olga", ["operator", "approver"], { "if-match": '"1"' })).body.code).toBe("self_approval");
    expect((await post(...approver)).body.code).toBe("precondition_required");
    expect((await post(...approver, { "if-match": '"7"' })).body.code).toBe("precondition_failed");
    expect((await post(...approver, { "if-match": '"1"' })).body).toMatchObject({
      state: "approved",
      approvedBy: "paul",
    });
    expect((await post(...approver, { "if-match": '"1"' })).status).toBe(200);
    const kept = await eventually(
      async () => {
        const { body } = await world.ops(`/reconciliations/${reconciliationId}`);
        return body.corrections[0].state === "applied" ? body.corrections[0] : false;
      },
      { timeoutMs: 20_000 },
    );
    expect(kept).toMatchObject({ proposedBy: "olga", approvedBy: "paul", reason: "a finger slipped", serials: [2] });
    const { rows } = await sql(
      "SELECT number, reason, proposed_by, approved_by FROM ledger.correction WHERE batch = $1",
      batch.batchNumber,
    );
    expect(rows).toEqual([
      { number: kept.number, reason: "a finger slipped", proposed_by: "olga", approved_by: "paul" },
    ]);
    // An audit of the shard follows by itself.
    await eventually(
      async () => {
        const { items } = (await world.ops("/reconciliations")).body;
        return items.some(
          (each: { trigger: string; startedBy: string; state: string }) =>
            each.trigger === "correction" && each.startedBy === kept.correctionId && each.state === "clean",
        );
      },
      { timeoutMs: 30_000 },
    );
  });

  it("of Redis wait for PostgreSQL's, from which it is built", async () => {
    const { batch } = await books();
    await sql("DELETE FROM ledger.coupon WHERE batch = $1 AND serial = 1", batch.batchNumber);
    await changeSlot(batch, 3, () => null);
    const audit = await platform.audit({ batchId: batch.batchId });
    const idOf = (store: string) =>
      audit.discrepancies.find((each: { store: string }) => each.store === store).discrepancyId as number;
    await expect(platform.correct(audit.reconciliationId, [idOf("redis"), idOf("postgresql")])).rejects.toThrow(
      /request_invalid/,
    );
    await expect(platform.correct(audit.reconciliationId, [idOf("redis")])).rejects.toThrow(/state_conflict/);
    await platform.correct(audit.reconciliationId, [idOf("postgresql")]);
    const next = await platform.audit({ batchId: batch.batchId });
    expect(next.discrepancies).toMatchObject([{ store: "redis", kind: "missing", serial: 3 }]);
    await platform.correct(next.reconciliationId, [next.discrepancies[0].discrepancyId]);
    expect(await platform.audit({ batchId: batch.batchId })).toMatchObject({ state: "clean" });
  });
});
