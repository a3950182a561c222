import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { batchTerms, Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { type Answer, World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);
const change = (method: "PUT" | "PATCH", batch: Answer, body: unknown, ifMatch = batch.etag) =>
  world.call("operator", method, `/ops/v1/batches/${batch.body.batchId}`, { body, ifMatch });
const read = (batch: Answer) => world.call("viewer", "GET", `/ops/v1/batches/${batch.body.batchId}`);

beforeAll(() => world.start());
afterAll(() => world.close());

describe("PUT and PATCH /ops/v1/batches/{id}", () => {
  test("200 for anything of a draft", async () => {
    const batch = await desk.draft();
    const { campaignId } = (await desk.campaign()).body;
    const { templateId } = (await desk.template()).body;
    const body = { campaignId, templateId, ...batchTerms, stock: { total: 7, perDay: 5, perUser: 1 }, shards: 1 };
    const put = await change("PUT", batch, body);
    expect(put).toMatchObject({ status: 200, etag: '"2"', body });
    const patch = { stock: { perDay: null, perUserPerDay: 1 }, issueWindow: { until: "2026-05-01T00:00:00Z" } };
    const patched = await change("PATCH", put, patch);
    expect(patched.body.stock).toEqual({ total: 7, perUser: 1, perUserPerDay: 1 });
    expect(patched.body.issueWindow).toEqual({
      from: batchTerms.issueWindow.from,
      until: "2026-05-01T00:00:00.000Z",
    });
  });

  test("200 once in force for limits, callers and the window's end of a batch that issues", async () => {
    const batch = await desk.issuing({ shards: 1 });
    const patch = {
      stock: { perUser: 5, perDay: 50 },
      callers: [{ callerId: "shop", may: ["redeem"] }],
      issueWindow: { until: "2026-03-15T00:00:00.000Z" },
    };
    const changed = await change("PATCH", batch, patch);
    expect(changed).toMatchObject({ status: 200, etag: '"5"', body: { inForce: true, callers: patch.callers } });
    expect(world.owner.newestOf(batch.body.batchId)).toMatchObject({
      version: 5,
      stock: { total: 100, perUser: 5, perDay: 50 },
      callers: patch.callers,
      issueWindow: { from: batchTerms.issueWindow.from, until: patch.issueWindow.until },
    });
  });

  test("200 for a replacement that leaves out what was filled in, once submitted", async () => {
    const batch = await desk.inReview({ shards: undefined, stock: { total: 30_000, perUser: 1 } });
    const { campaignId, templateId } = batch.body;
    const { shards: _, ...terms } = batchTerms;
    const body = { campaignId, templateId, ...terms, stock: { total: 30_000, perUser: 2 } };
    expect((await change("PUT", batch, body)).body).toMatchObject({ shards: 1, stock: { perUser: 2 } });
  });

  test.each([
    ["its name", { name: "Other" }],
    ["its template", { templateId: "tpl_1" }],
    ["the window's start", { issueWindow: { from: "2026-02-01T00:00:00Z" } }],
    ["the total of its stock", { stock: { total: 99 } }],
    ["its shards", { shards: 1 }],
    ["its time zone", { timeZone: "UTC" }],
    ["its funding", { funding: [{ party: "shop", basisPoints: 10_000 }] }],
  ])("409 state_conflict for %s after it was submitted", async (_what, patch) => {
    const batch = await desk.inReview();
    expectRefusal(await change("PATCH", batch, patch), "state_conflict");
    expect((await read(batch)).etag).toBe(batch.etag);
  });

  test("of an ended batch only callers change, of a deactivated one nothing", async () => {
    let batch = await desk.act(await desk.issuing(), "operator", "end");
    expectRefusal(await change("PATCH", batch, { stock: { perUser: 1 } }), "state_conflict");
    batch = await change("PATCH", batch, { callers: [] });
    expect(batch.status).toBe(200);
    const path = `/ops/v1/batches/${batch.body.batchId}/deactivate`;
    batch = await world.call("operator", "POST", path, { body: { issued: "keep" }, ifMatch: batch.etag });
    expectRefusal(await change("PATCH", batch, { callers: batchTerms.callers }), "state_conflict");
  });

  test("two operators: the second gets 412, and what the first said stands", async () => {
    const batch = await desk.issuing();
    const path = `/ops/v1/batches/${batch.body.batchId}`;
    const first = await world.call("operator", "PATCH", path, { body: { stock: { perUser: 3 } }, ifMatch: batch.etag });
    const second = await world.call("second", "PATCH", path, { body: { stock: { perUser: 4 } }, ifMatch: batch.etag });
    expect(first.status).toBe(200);
    expectRefusal(second, "precondition_failed");
    expect((await read(batch)).body.stock.perUser).toBe(3);
  });

  test("two operators at the same time: just one of them succeeds, again and again", async () => {
    let batch = await desk.draft();
    const path = `/ops/v1/batches/${batch.body.batchId}`;
    for (let round = 0; round < 10; round += 1) {
      const [one, two] = await Promise.all(
        (["operator", "second"] as const).map((who) =>
          world.call(who, "PATCH", path, { body: { name: `${who} ${round}` }, ifMatch: batch.etag }),
        ),
      );
      expect([one?.status, two?.status].sort()).toEqual([200, 412]);
      batch = await read(batch);
      expect(batch.body.name).toBe((one?.status === 200 ? one : two)?.body.name);
    }
    expect(batch.etag).toBe('"11"');
  });

  test("400, 403, 404, 428", async () => {
    const batch = await desk.draft();
    const path = `/ops/v1/batches/${batch.body.batchId}`;
    const window = { issueWindow: { until: "2026-01-01T00:00:00Z" } };
    expectRefusal(await change("PATCH", batch, window), "request_invalid");
    expectRefusal(await change("PATCH", batch, { state: "issuing" }), "request_invalid");
    expectRefusal(await change("PATCH", batch, { templateId: "tpl_1" }), "template_not_found");
    expectRefusal(await change("PATCH", batch, { campaignId: "cmp_1" }), "campaign_not_found");
    expectRefusal(await world.call("viewer", "PATCH", path, { body: { name: "A" }, ifMatch: "*" }), "role_missing");
    expectRefusal(await world.call("operator", "PATCH", path, { body: { name: "A" } }), "precondition_required");
    const unknown = await world.call("operator", "PATCH", "/ops/v1/batches/bat_1", {
      body: { name: "A" },
      ifMatch: "*",
    });
    expectRefusal(unknown, "batch_not_found");
    expect((await read(batch)).etag).toBe('"1"');
  });
});
