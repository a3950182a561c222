import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);

beforeAll(() => world.start());
afterAll(() => world.close());

describe("GET /ops/v1/campaigns", () => {
  test("200 with a page", async () => {
    await desk.campaign({ name: "A" });
    await desk.campaign({ name: "B" });
    const page = await world.call("approver", "GET", "/ops/v1/campaigns?limit=1");
    expect(page.body.items).toHaveLength(1);
    const next = await world.call("approver", "GET", `/ops/v1/campaigns?limit=1&cursor=${page.body.nextCursor}`);
    expect(next.body).toMatchObject({ items: [{ budget: { currency: "CNY" } }], nextCursor: null });
  });

  test("400, 401, 403", async () => {
    expectRefusal(await world.call("viewer", "GET", "/ops/v1/campaigns?cursor=%20"), "cursor_invalid");
    expectRefusal(await world.call(null, "GET", "/ops/v1/campaigns"), "token_invalid");
    expectRefusal(await world.call("nobody", "GET", "/ops/v1/campaigns"), "role_missing");
  });
});
