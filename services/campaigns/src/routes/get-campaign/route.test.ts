import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);

beforeAll(() => world.start());
afterAll(() => world.close());

describe("GET /ops/v1/campaigns/{id}", () => {
  test("200, with what approved batches hold of the budget", async () => {
    const batch = await desk.approved({ stock: { total: 10, perUser: 1 } });
    const read = await world.call("viewer", "GET", `/ops/v1/campaigns/${batch.body.campaignId}`);
    expect(read).toMatchObject({ status: 200, etag: '"1"', body: { reserved: { amount: 10_000, currency: "CNY" } } });
  });

  test("401, 403, 404", async () => {
    expectRefusal(await world.call(null, "GET", "/ops/v1/campaigns/cmp_1"), "token_invalid");
    expectRefusal(await world.call("nobody", "GET", "/ops/v1/campaigns/cmp_1"), "role_missing");
    expectRefusal(await world.call("viewer", "GET", "/ops/v1/campaigns/cmp_1"), "campaign_not_found");
  });
});
