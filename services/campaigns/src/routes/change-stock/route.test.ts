import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "../../../test/support/desk.ts";
import { expectRefusal } from "../../../test/support/expect-refusal.ts";
import { type Answer, World } from "../../../test/support/world.ts";

const world = new World();
const desk = new Desk(world);
type Who = "operator" | "second" | "viewer" | "approver";
const change = (batch: Answer, from: unknown, to: unknown, who: Who = "operator", ifMatch = batch.etag) =>
  world.call(who, "POST", `/ops/v1/batches/${batch.body.batchId}/stock-changes`, {
    ...{ body: { from, to, reason: "demand" }, ifMatch },
  });
const read = (batch: Answer) => world.call("viewer", "GET", `/ops/v1/batches/${batch.body.batchId}`);
const tight = { budget: { amount: 150_000, currency: "CNY" } };

beforeAll(() => world.start());
afterAll(() => world.close());

describe("POST /ops/v1/batches/{id}/stock-changes", () => {
  test("200 for more, which reserves more at once", async () => {
    const batch = await desk.issuing();
    const more = await change(batch, 100, 150);
    expect(more).toMatchObject({ status: 200, etag: '"5"', body: { stock: { total: 150 }, inForce: true } });
    expect(world.owner.newestOf(batch.body.batchId)?.stock.total).toBe(150);
    expect(await desk.reserved(batch.body.campaignId)).toBe(150_000);
  });

  test("409 budget_exceeded for more than the budget covers, with nothing changed; 200 to the last unit", async () => {
    const batch = await desk.issuing({}, tight);
    expectRefusal(await change(batch, 100, 151), "budget_exceeded");
    expect((await read(batch)).etag).toBe(batch.etag);
    expect(await desk.reserved(batch.body.campaignId)).toBe(100_000);
    expect((await change(batch, 100, 150)).status).toBe(200);
  });

  test("200 for less, which gives the budget back once it is in force", async () => {
    const batch = await desk.issuing();
    world.owner.keepSilent(
      ({ batchId, version }, shard) => batchId === batch.body.batchId && version === 5 && shard === 1,
    );
    const changing = change(batch, 100, 60);
    await eventually(() => world.owner.newestOf(batch.body.batchId)?.version === 5);
    expect(await desk.reserved(batch.body.campaignId)).toBe(100_000);
    await world.owner.speak();
    expect(await changing).toMatchObject({ status: 200, body: { stock: { total: 60 }, inForce: true } });
    expect(await desk.reserved(batch.body.campaignId)).toBe(60_000);
  });

  test("409 stock_changed where the shards have issued it; the total is what it was, as a new version", async () => {
    const batch = await desk.issuing();
    const { batchId, campaignId } = batch.body;
    world.owner.shortBy = (definition, shard) =>
      definition.batchId === batchId && definition.version === 5 && shard === 0 ? 7 : 0;
    const refused = await change(batch, 100, 60);
    expectRefusal(refused, "stock_changed");
    expect(refused.body.detail).toContain("7");
    expect(await read(batch)).toMatchObject({ etag: '"6"', body: { stock: { total: 100 } } });
    expect(await desk.reserved(campaignId)).toBe(100_000);
    await eventually(() => world.owner.newestOf(batchId)?.stock.total === 100);
    // What was short then says nothing about the next change.
    const again = await change(await eventually(async () => inForce(await read(batch))), 100, 80);
    expect(again).toMatchObject({ status: 200, body: { stock: { total: 80 } } });
    expect(await desk.reserved(campaignId)).toBe(80_000);
  });

  test("another operator's change while a decrease is open stands, and the decrease is undone beneath it", async () => {
    const batch = await desk.issuing();
    const { batchId, campaignId } = batch.body;
    world.owner.shortBy = (definition, shard) =>
      definition.batchId === batchId && definition.stock.total === 60 && shard === 0 ? 5 : 0;
    world.owner.keepSilent((definition, shard) => definition.batchId === batchId && shard === 1);
    const decreasing = change(batch, 100, 60);
    await eventually(() => world.owner.newestOf(batchId)?.version === 5);
    expectRefusal(await change(await read(batch), 60, 50, "second"), "stock_changed");
    const path = `/ops/v1/batches/${batchId}/pause`;
    const pausing = world.call("second", "POST", path, { ifMatch: '"5"' });
    await eventually(() => world.owner.newestOf(batchId)?.version === 6);
    await world.owner.speak();
    expect(await pausing).toMatchObject({ status: 200, body: { state: "paused" } });
    expectRefusal(await decreasing, "stock_changed");
    expect(await read(batch)).toMatchObject({ etag: '"7"', body: { state: "paused", stock: { total: 100 } } });
    expect(await desk.reserved(campaignId)).toBe(100_000);
  });

  test("a draft's total changes without any reservation", async () => {
    const batch = await desk.draft();
    expect(await change(batch, 100, 50)).toMatchObject({ status: 200, body: { stock: { total: 50 } } });
    expect(await desk.reserved(batch.body.campaignId)).toBe(0);
  });

  test("compare and set: 409 stock_changed where the total is another, 200 where it is so already", async () => {
    const batch = await desk.issuing();
    expectRefusal(await change(batch, 99, 120), "stock_changed");
    expect(await change(batch, 100, 100)).toMatchObject({ status: 200, etag: batch.etag });
  });

  test("of many at the same time just one succeeds", async () => {
    const batch = await desk.issuing();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => change(batch, 100, 101 + i, i % 2 === 0 ? "operator" : "second")),
    );
    const [won, ...rest] = answers.sort((a, b) => a.status - b.status);
    expect(won?.status).toBe(200);
    for (const lost of rest) expectRefusal(lost, "precondition_failed");
    expect(await desk.reserved(batch.body.campaignId)).toBe(won?.body.stock.total * 1_000);
  });

  test("with If-Match: * the total alone decides: one succeeds, the others get stock_changed", async () => {
    const batch = await desk.issuing();
    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, i) => change(batch, 100, 101 + i, "operator", "*")),
    );
    const [won, ...rest] = answers.sort((a, b) => a.status - b.status);
    expect(won?.status).toBe(200);
    for (const lost of rest) expectRefusal(lost, "stock_changed");
    expect(await desk.reserved(batch.body.campaignId)).toBe(won?.body.stock.total * 1_000);
  });

  test("400, 403, 404, 409, 412, 428", async () => {
    const batch = await desk.issuing({ stock: { total: 100, perDay: 50, perUser: 2 }, shards: 1 });
    for (const to of [0, -1, 1.5, 2 ** 53, "5", 49, 1]) expectRefusal(await change(batch, 100, to), "request_invalid");
    expectRefusal(await change(batch, 100, 110, "viewer"), "role_missing");
    expectRefusal(await change(batch, 100, 110, "approver"), "role_missing");
    expectRefusal(await change(batch, 100, 110, "operator", '"1"'), "precondition_failed");
    const path = `/ops/v1/batches/${batch.body.batchId}/stock-changes`;
    const body = { from: 100, to: 110, reason: "demand" };
    expectRefusal(await world.call("operator", "POST", path, { body }), "precondition_required");
    const unknown = await world.call("operator", "POST", "/ops/v1/batches/bat_1/stock-changes", { body, ifMatch: "*" });
    expectRefusal(unknown, "batch_not_found");
    const ended = await desk.act(batch, "operator", "end");
    expectRefusal(await change(ended, 100, 110), "state_conflict");
  });
});

function inForce(batch: Answer): Answer | false {
  return batch.body.inForce === true && batch;
}
