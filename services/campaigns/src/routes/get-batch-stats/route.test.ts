import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { INTERNAL_TOKEN, World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);
const yuan = (amount: number) => ({ amount, currency: "CNY" });
const stats = {
  issued: 5,
  redeemed: 3,
  reversed: 1,
  ...{ cost: yuan(2_000), liability: yuan(3_000) },
  asOf: "2026-03-02T00:00:00.000Z",
};
const read = (batchId: string, who: "viewer" | "nobody" | null = "viewer") =>
  world.call(who, "GET", `/ops/v1/batches/${batchId}/stats`);

beforeAll(() => world.start({ env: { INTERNAL_TIMEOUT_MS: "2000" } }));
afterAll(() => world.close());

describe("GET /ops/v1/batches/{id}/stats", () => {
  test("200 with what the ledger counts, asked for with our own services' secret", async () => {
    const { batchId, batchNumber } = (await desk.approved()).body;
    world.ledger.answer = () => ({ status: 200, body: stats });
    expect(await read(batchId)).toMatchObject({ status: 200, body: { batchId, ...stats } });
    expect(world.ledger.requests.at(-1)).toMatchObject({
      ...{
        method: "GET",
        path: `/internal/v1/batches/${batchNumber}/stats`,
        authorization: `Bearer ${INTERNAL_TOKEN}`,
      },
    });
  });

  test("the ledger is told the trace that the request is part of", async () => {
    const { batchId } = (await desk.approved()).body;
    world.ledger.answer = () => ({ status: 200, body: stats });
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const headers = { traceparent: `00-${trace}-00f067aa0ba902b7-01` };
    await world.call("viewer", "GET", `/ops/v1/batches/${batchId}/stats`, { headers });
    expect(world.ledger.requests.at(-1)?.traceparent).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  });

  test("200 with nothing, without asking, before the batch was approved", async () => {
    const asked = world.ledger.requests.length;
    const { batchId } = (await desk.inReview()).body;
    const none = { issued: 0, redeemed: 0, reversed: 0, cost: yuan(0), liability: yuan(0) };
    expect(await read(batchId)).toMatchObject({ status: 200, body: { batchId, ...none } });
    expect(world.ledger.requests.length).toBe(asked);
  });

  test.each([
    ["does not know the batch yet", () => ({ status: 404, body: { code: "batch_not_found" } })],
    ["fails", () => ({ status: 500, body: {} })],
    ["refuses", () => ({ status: 401, body: { code: "token_invalid" } })],
    ["answers something else", () => ({ status: 200, body: { issued: "many" } })],
    ["hangs", () => "hang" as const],
  ])("503 ledger_unavailable where the ledger %s", async (_what, answer) => {
    const { batchId } = (await desk.approved()).body;
    world.ledger.answer = answer;
    expectRefusal(await read(batchId), "ledger_unavailable");
  });

  test("503 at once, without asking, once the ledger has failed too often", async () => {
    const { batchId } = (await desk.approved()).body;
    world.ledger.answer = () => ({ status: 500, body: {} });
    for (let i = 0; i < 30; i += 1) expectRefusal(await read(batchId), "ledger_unavailable");
    expect(world.ledger.requests.length).toBeLessThan(30);
  });

  test("401, 403, 404", async () => {
    expectRefusal(await read("bat_1", null), "token_invalid");
    expectRefusal(await read("bat_1", "nobody"), "role_missing");
    expectRefusal(await read("bat_1"), "batch_not_found");
  });
});
