import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "./support/desk.ts";
import { expectRefusal } from "./support/expect-refusal.ts";
import { OwnBroker } from "./support/own-broker.ts";
import { World } from "./support/world.ts";

const broker = new OwnBroker();
const world = new World();
const desk = new Desk(world);

beforeAll(async () => {
  await world.start({ log: await broker.start(), env: { CONFIRM_TIMEOUT_MS: "3000" } });
});
afterAll(async () => {
  await world.close();
  await broker.close();
});

describe("Kafka away in the middle", () => {
  test("reads and drafts go on; a change is on record and answered 503; it is published, in order, once Kafka is back", async () => {
    const batch = await desk.issuing();
    const { batchId } = batch.body;
    const path = `/ops/v1/batches/${batchId}`;
    await broker.goAway();
    expect((await world.call("viewer", "GET", path)).status).toBe(200);
    await desk.inReview();
    const paused = await world.call("operator", "POST", `${path}/pause`, { ifMatch: batch.etag });
    expectRefusal(paused, "log_unavailable");
    const resumed = await world.call("operator", "POST", `${path}/resume`, { ifMatch: '"5"' });
    expectRefusal(resumed, "log_unavailable");
    expect(await world.call("viewer", "GET", path)).toMatchObject({ etag: '"6"', body: { inForce: false } });
    await eventually(async () =>
      /campaigns_outbox_depth\{[^}]*\} 2/.test((await world.call(null, "GET", "/metrics")).body),
    );
    await broker.comeBack();
    await eventually(async () => (await world.call("viewer", "GET", path)).body.inForce === true, {
      timeoutMs: 45_000,
    });
    const versions = world.owner.versionsOf(batchId);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(versions.at(-1)).toBe(6);
    // What is published is taken from the outbox after it is confirmed, perhaps.
    await eventually(async () => (await world.prisma.publication.count()) === 0);
    const again = await world.call("operator", "POST", `${path}/resume`, { ifMatch: '"5"' });
    expect(again).toMatchObject({ status: 200, etag: '"6"', body: { state: "issuing" } });
  });
});
