import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);

beforeAll(() => world.start());
afterAll(() => world.close());

describe("GET /ops/v1/templates/{id}", () => {
  test.each(["operator", "approver", "viewer"] as const)("200 for the %s, as it was created", async (who) => {
    const created = await desk.template();
    const read = await world.call(who, "GET", `/ops/v1/templates/${created.body.templateId}`);
    expect(read).toMatchObject({ status: 200, etag: '"1"', body: created.body });
  });

  test("401, 403", async () => {
    expectRefusal(await world.call(null, "GET", "/ops/v1/templates/tpl_1"), "token_invalid");
    expectRefusal(await world.call("nobody", "GET", "/ops/v1/templates/tpl_1"), "role_missing");
  });

  test("404 for one that is not there", async () => {
    expectRefusal(await world.call("viewer", "GET", "/ops/v1/templates/tpl_1"), "template_not_found");
  });

  test.each(["%00", "%F0%9F%8E%9F", "a".repeat(129), "a'b"])("400 for the id %s", async (id) => {
    expectRefusal(await world.call("viewer", "GET", `/ops/v1/templates/${id}`), "request_invalid");
  });
});
