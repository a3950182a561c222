import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk, templateBody } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { type Answer, World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);
type Who = keyof World["people"];
const act = (batch: Answer, action: string, who: Who = "operator", ask: object = { ifMatch: batch.etag }) =>
  world.call(who, "POST", `/ops/v1/batches/${batch.body.batchId}/${action}`, ask);
const read = (batch: Answer) => world.call("viewer", "GET", `/ops/v1/batches/${batch.body.batchId}`);

beforeAll(() => world.start());
afterAll(() => world.close());

describe("POST /ops/v1/batches/{id}/{action}", () => {
  test("200 for submit, with a reason; reject makes it a draft again, whose template may change", async () => {
    let batch = await desk.draft();
    batch = await act(batch, "submit", "operator", { ifMatch: batch.etag, body: { reason: "ready" } });
    expect(batch).toMatchObject({ status: 200, etag: '"2"', body: { state: "in_review", templateVersion: 1 } });
    batch = await act(batch, "reject", "approver");
    expect(batch).toMatchObject({ status: 200, body: { state: "draft" } });
    expect(batch.body).not.toHaveProperty("template");
    expect(world.owner.versionsOf(batch.body.batchId)).toEqual([]);
  });

  test.each([
    ["draft", ["approve", "reject", "start", "pause", "resume", "end"]],
    ["inReview", ["submit", "start", "pause", "resume", "end"]],
    ["approved", ["submit", "approve", "reject", "pause", "resume"]],
    ["issuing", ["submit", "approve", "reject"]],
  ] as const)("409 state_conflict where the machine has no such step: %s", async (state, actions) => {
    const batch = await desk[state]();
    for (const action of actions) {
      const who = action === "approve" || action === "reject" ? "approver" : "operator";
      expectRefusal(await act(batch, action, who), "state_conflict");
    }
    expect((await read(batch)).etag).toBe(batch.etag);
  });

  test("409 state_conflict for anything but a change of callers after the end", async () => {
    const batch = await desk.act(await desk.issuing(), "operator", "end");
    for (const action of ["start", "pause", "resume", "submit"]) {
      expectRefusal(await act(batch, action), "state_conflict");
    }
  });

  test("200 without a new version for the state that it has", async () => {
    let batch = await desk.issuing();
    expect(await act(batch, "start")).toMatchObject({ status: 200, etag: batch.etag });
    batch = await desk.act(batch, "operator", "pause");
    expect(await act(batch, "pause")).toMatchObject({ status: 200, etag: batch.etag });
    batch = await desk.act(batch, "operator", "end");
    expect(await act(batch, "end")).toMatchObject({ status: 200, etag: batch.etag });
  });

  test("200 again for the same action by the same person with the old ETag; 412 for anybody else", async () => {
    const batch = await desk.issuing();
    const paused = await act(batch, "pause");
    expect(await act(batch, "pause")).toMatchObject({ status: 200, etag: paused.etag, body: { state: "paused" } });
    expectRefusal(await act(batch, "pause", "second"), "precondition_failed");
    expectRefusal(await act(batch, "end"), "precondition_failed");
    const resumed = await act(paused, "resume");
    expect(resumed.body.state).toBe("issuing");
    expectRefusal(await act(batch, "pause"), "precondition_failed");
  });

  test("an approval that is repeated reserves once", async () => {
    const batch = await desk.inReview();
    const approved = await act(batch, "approve", "approver");
    expect(await act(batch, "approve", "approver")).toMatchObject({ status: 200, etag: approved.etag });
    expect(await desk.reserved(batch.body.campaignId)).toBe(100_000);
  });

  test("403 self_approval for who created, changed or submitted it, also with the approver's role", async () => {
    const body = { ...(await desk.draft()).body };
    const created = await world.call("both", "POST", "/ops/v1/batches", {
      body: {
        ...{ campaignId: body.campaignId, templateId: body.templateId, name: "Mine", stock: body.stock },
        ...{ issueWindow: body.issueWindow, callers: [], timeZone: "UTC" },
      },
    });
    expectRefusal(await act(await act(created, "submit"), "approve", "both"), "self_approval");
    const submitted = await act(await desk.draft(), "submit", "both");
    expectRefusal(await act(submitted, "approve", "both"), "self_approval");
    const inReview = await desk.inReview();
    const changed = await world.call("both", "PATCH", `/ops/v1/batches/${inReview.body.batchId}`, {
      ...{ body: { stock: { perUser: 3 } }, ifMatch: inReview.etag },
    });
    expectRefusal(await act(changed, "approve", "both"), "self_approval");
    expectRefusal(await act(changed, "approve", "both", { ifMatch: '"99"' }), "self_approval");
    expect((await read(changed)).body.state).toBe("in_review");
    expect((await act(changed, "approve", "approver")).status).toBe(200);
  });

  test("409 budget_exceeded, with nothing changed, one unit beyond; 200 to the last unit", async () => {
    const campaign = { budget: { amount: 99_999, currency: "CNY" } };
    const batch = await desk.inReview({}, campaign);
    expectRefusal(await act(batch, "approve", "approver"), "budget_exceeded");
    expect(await read(batch)).toMatchObject({ etag: batch.etag, body: { state: "in_review" } });
    expect(await desk.reserved(batch.body.campaignId)).toBe(0);
    expect(await world.prisma.budgetReservation.count({ where: { batchId: batch.body.batchId } })).toBe(0);
    const path = `/ops/v1/campaigns/${batch.body.campaignId}`;
    const more = { body: { budget: { amount: 100_000, currency: "CNY" } }, ifMatch: "*" };
    expect((await world.call("operator", "PATCH", path, more)).status).toBe(200);
    expect((await act(batch, "approve", "approver")).status).toBe(200);
  });

  test("409 state_conflict for submitting what does not fit its template any more", async () => {
    const batch = await desk.draft();
    const path = `/ops/v1/templates/${batch.body.templateId}`;
    const euros = { body: { benefit: { ...templateBody.benefit, currency: "EUR" } }, ifMatch: "*" };
    expect((await world.call("operator", "PATCH", path, euros)).status).toBe(200);
    expectRefusal(await act(batch, "submit"), "state_conflict");
    const gone = { body: { ...euros.body, validity: { from: "2020-01-01T00:00:00Z", until: "2020-02-01T00:00:00Z" } } };
    expect((await world.call("operator", "PATCH", path, { ...gone, ifMatch: "*" })).status).toBe(200);
    expectRefusal(await act(batch, "submit"), "state_conflict");
  });

  test("400, 401, 403, 404, 412, 428", async () => {
    const batch = await desk.inReview();
    const path = `/ops/v1/batches/${batch.body.batchId}/approve`;
    expectRefusal(await act(batch, "submit", "operator", { ifMatch: "*", body: { force: true } }), "request_invalid");
    expectRefusal(await act(batch, "submit", "operator", { ifMatch: "*", text: "{" }), "request_invalid");
    expectRefusal(
      await world.call("operator", "POST", "/ops/v1/batches/%00/submit", { ifMatch: "*" }),
      "request_invalid",
    );
    expectRefusal(await world.call(null, "POST", path, { ifMatch: "*" }), "token_invalid");
    for (const who of ["viewer", "operator", "nobody"] as const) {
      expectRefusal(await act(batch, "approve", who), "role_missing");
    }
    for (const who of ["viewer", "approver"] as const) expectRefusal(await act(batch, "submit", who), "role_missing");
    expectRefusal(await world.call("operator", "POST", "/ops/v1/batches/bat_1/submit"), "batch_not_found");
    expectRefusal(await act(batch, "approve", "approver", { ifMatch: '"99"' }), "precondition_failed");
    expectRefusal(await act(batch, "approve", "approver", {}), "precondition_required");
    expectRefusal(await act(batch, "explode"), "route_not_found");
  });
});
