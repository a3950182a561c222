import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { campaignBody, Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);
const change = (method: "PUT" | "PATCH", id: string, body: unknown, ifMatch = '"1"') =>
  world.call("operator", method, `/ops/v1/campaigns/${id}`, { body, ifMatch });

beforeAll(() => world.start());
afterAll(() => world.close());

describe("PUT and PATCH /ops/v1/campaigns/{id}", () => {
  test("200 with the next ETag", async () => {
    const { campaignId } = (await desk.campaign()).body;
    expect(await change("PUT", campaignId, { ...campaignBody, name: "Summer" })).toMatchObject({
      status: 200,
      etag: '"2"',
      body: { name: "Summer", version: 2 },
    });
    const endsAt = "2026-09-01T00:00:00.000Z";
    expect(await change("PATCH", campaignId, { endsAt }, '"2"')).toMatchObject({
      status: 200,
      etag: '"3"',
      body: { name: "Summer", endsAt },
    });
  });

  test("409 budget_exceeded for a budget below what is reserved, 200 for one just at it", async () => {
    const { campaignId } = (await desk.approved({ stock: { total: 10, perUser: 1 } })).body;
    const budget = (amount: number) => ({ budget: { amount, currency: "CNY" } });
    expectRefusal(await change("PATCH", campaignId, budget(9_999)), "budget_exceeded");
    expect((await change("PATCH", campaignId, budget(10_000))).status).toBe(200);
  });

  test("409 state_conflict for another currency once there are batches, 200 before", async () => {
    const budget = { amount: 5_000, currency: "EUR" };
    const { campaignId } = (await desk.draft()).body;
    expectRefusal(await change("PATCH", campaignId, { budget }), "state_conflict");
    const empty = (await desk.campaign()).body.campaignId;
    expect((await change("PATCH", empty, { budget })).body.budget).toEqual(budget);
  });

  test("400, 403, 404, 412, 428", async () => {
    const { campaignId } = (await desk.campaign()).body;
    const path = `/ops/v1/campaigns/${campaignId}`;
    expectRefusal(await change("PATCH", campaignId, { endsAt: campaignBody.startsAt }), "request_invalid");
    expectRefusal(await world.call("viewer", "PATCH", path, { body: { name: "A" }, ifMatch: "*" }), "role_missing");
    expectRefusal(await change("PATCH", "cmp_1", { name: "A" }), "campaign_not_found");
    expectRefusal(await change("PATCH", campaignId, { name: "A" }, '"7"'), "precondition_failed");
    expectRefusal(await world.call("operator", "PATCH", path, { body: { name: "A" } }), "precondition_required");
  });
});
