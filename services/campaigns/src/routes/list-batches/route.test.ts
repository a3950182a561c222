import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);
const ids = (answer: { body: { items: { batchId: string }[] } }) => answer.body.items.map(({ batchId }) => batchId);

beforeAll(() => world.start());
afterAll(() => world.close());

describe("GET /ops/v1/batches", () => {
  test("200 with a page, of one campaign or in one state if asked for", async () => {
    const draft = (await desk.draft()).body;
    const inReview = (await desk.inReview()).body;
    const all = await world.call("viewer", "GET", "/ops/v1/batches");
    expect(ids(all).sort()).toEqual([draft.batchId, inReview.batchId].sort());
    expect(ids(await world.call("viewer", "GET", "/ops/v1/batches?state=in_review"))).toEqual([inReview.batchId]);
    const ofCampaign = await world.call("viewer", "GET", `/ops/v1/batches?campaignId=${draft.campaignId}`);
    expect(ids(ofCampaign)).toEqual([draft.batchId]);
    const page = await world.call("viewer", "GET", "/ops/v1/batches?limit=1");
    const next = await world.call("viewer", "GET", `/ops/v1/batches?limit=1&cursor=${page.body.nextCursor}`);
    expect([...ids(page), ...ids(next)].sort()).toEqual(ids(all).sort());
    expect(next.body.nextCursor).toBeNull();
  });

  test("400, 401, 403", async () => {
    expectRefusal(await world.call("viewer", "GET", "/ops/v1/batches?state=gone"), "request_invalid");
    expectRefusal(await world.call("viewer", "GET", "/ops/v1/batches?cursor=1"), "cursor_invalid");
    expectRefusal(await world.call(null, "GET", "/ops/v1/batches"), "token_invalid");
    expectRefusal(await world.call("nobody", "GET", "/ops/v1/batches"), "role_missing");
  });
});
