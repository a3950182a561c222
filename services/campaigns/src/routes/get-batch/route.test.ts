import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);

beforeAll(() => world.start());
afterAll(() => world.close());

describe("GET /ops/v1/batches/{id}", () => {
  test.each(["operator", "approver", "viewer"] as const)("200 for the %s", async (who) => {
    const batch = await desk.draft();
    const read = await world.call(who, "GET", `/ops/v1/batches/${batch.body.batchId}`);
    expect(read).toMatchObject({ status: 200, etag: '"1"', body: batch.body });
  });

  test("400, 401, 403, 404, 405", async () => {
    expectRefusal(await world.call("viewer", "GET", "/ops/v1/batches/%00"), "request_invalid");
    expectRefusal(await world.call("viewer", "GET", "/ops/v1/batches/%zz"), "request_invalid");
    expectRefusal(await world.call(null, "GET", "/ops/v1/batches/bat_1"), "token_invalid");
    expectRefusal(await world.call("nobody", "GET", "/ops/v1/batches/bat_1"), "role_missing");
    expectRefusal(await world.call("viewer", "GET", "/ops/v1/batches/bat_1"), "batch_not_found");
    expectRefusal(await world.call("viewer", "DELETE", "/ops/v1/batches/bat_1"), "method_not_allowed");
  });
});
