import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { type Answer, World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);
const deactivate = (batch: Answer, body: unknown, who: "operator" | "viewer" | "approver" = "operator") =>
  world.call(who, "POST", `/ops/v1/batches/${batch.body.batchId}/deactivate`, { body, ifMatch: batch.etag });

beforeAll(() => world.start());
afterAll(() => world.close());

describe("POST /ops/v1/batches/{id}/deactivate", () => {
  test.each([
    ["keep", false],
    ["revoke", true],
  ] as const)("200 once in force, with what was issued: %s", async (issued, revoked) => {
    const batch = await desk.issuing();
    const dead = await deactivate(batch, { issued, reason: "a leak" });
    expect(dead).toMatchObject({ status: 200, body: { state: "deactivated", revoked, inForce: true } });
    expect(world.owner.newestOf(batch.body.batchId)).toMatchObject({ state: "deactivated", revoked });
    expect(await deactivate(dead, { issued })).toMatchObject({ status: 200, etag: dead.etag });
  });

  test("200 for what was kept and is revoked afterwards, once in force; never back", async () => {
    const batch = await desk.issuing();
    const kept = await deactivate(batch, { issued: "keep" });
    expectRefusal(await deactivate(batch, { issued: "revoke" }), "precondition_failed");
    expectRefusal(await deactivate(kept, { issued: "revoke" }, "viewer"), "role_missing");
    const path = `/ops/v1/batches/${batch.body.batchId}/deactivate`;
    const ask = { issued: "revoke", reason: "a leak after all" };
    expectRefusal(await world.call("operator", "POST", path, { body: ask }), "precondition_required");
    const revoked = await deactivate(kept, ask);
    const version = kept.body.version + 1;
    expect(revoked).toMatchObject({
      status: 200,
      body: { state: "deactivated", revoked: true, inForce: true, version },
    });
    // The time of the revoke, not of the deactivation before it.
    const { revokedAt } = revoked.body;
    expect(revokedAt > kept.body.updatedAt).toBe(true);
    expect(revokedAt).toBe(revoked.body.updatedAt);
    expect(world.owner.newestOf(batch.body.batchId)).toMatchObject({ version, revoked: true, revokedAt });
    expect(await deactivate(kept, ask)).toMatchObject({ status: 200, etag: revoked.etag });
    expectRefusal(await deactivate(revoked, { issued: "keep" }), "state_conflict");
    expectRefusal(
      await world.call("operator", "POST", path.replace("deactivate", "end"), { ifMatch: revoked.etag }),
      "state_conflict",
    );
  });

  test("409 for a draft, 200 for one that has ended", async () => {
    expectRefusal(await deactivate(await desk.draft(), { issued: "keep" }), "state_conflict");
    const ended = await desk.act(await desk.issuing(), "operator", "end");
    expect((await deactivate(ended, { issued: "revoke" })).status).toBe(200);
  });

  test("400, 403, 404, 412, 428", async () => {
    const batch = await desk.approved();
    const path = `/ops/v1/batches/${batch.body.batchId}/deactivate`;
    for (const body of [{}, { issued: "burn" }, { issued: "keep", force: true }]) {
      expectRefusal(await deactivate(batch, body), "request_invalid");
    }
    expectRefusal(await world.call("operator", "POST", path, { ifMatch: "*" }), "request_invalid");
    expectRefusal(await deactivate(batch, { issued: "keep" }, "viewer"), "role_missing");
    expectRefusal(await deactivate(batch, { issued: "keep" }, "approver"), "role_missing");
    expectRefusal(await world.call("operator", "POST", path, { body: { issued: "keep" } }), "precondition_required");
    const stale = { body: { issued: "keep" }, ifMatch: '"1"' };
    expectRefusal(await world.call("operator", "POST", path, stale), "precondition_failed");
    expectRefusal(await world.call("operator", "POST", "/ops/v1/batches/bat_1/deactivate", stale), "batch_not_found");
  });
});
