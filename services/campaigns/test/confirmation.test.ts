import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "./support/desk.ts";
import { expectRefusal } from "./support/expect-refusal.ts";
import { type Answer, World } from "./support/world.ts";

const world = new World();
const desk = new Desk(world);
const pause = (batch: Answer, who: "operator" | "second" = "operator", etag = batch.etag) =>
  world.call(who, "POST", `/ops/v1/batches/${batch.body.batchId}/pause`, { ifMatch: etag });
const read = (batch: Answer) => world.call("viewer", "GET", `/ops/v1/batches/${batch.body.batchId}`);

beforeAll(() => world.start({ env: { CONFIRM_TIMEOUT_MS: "3000" } }));
afterAll(() => world.close());

describe("a change is answered once it is in force on every shard", () => {
  test("within a second, for the whole batch", async () => {
    const batch = await desk.issuing();
    const startedMs = performance.now();
    expect(await pause(batch)).toMatchObject({ status: 200, body: { state: "paused", inForce: true } });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  test("not before the last shard has confirmed it", async () => {
    const batch = await desk.issuing({ shards: 3 });
    world.owner.keepSilent((_definition, shard) => shard === 2);
    let answered = false;
    const pausing = pause(batch).finally(() => {
      answered = true;
    });
    await eventually(() => world.owner.newestOf(batch.body.batchId)?.state === "paused");
    await eventually(async () => (await world.prisma.publication.count()) === 0);
    expect(answered).toBe(false);
    await world.owner.speak();
    expect((await pausing).status).toBe(200);
  });

  test("503 shard_recovering while a shard is silent; on record, and 200 for the same request once it speaks", async () => {
    const batch = await desk.issuing();
    world.owner.keepSilent((_definition, shard) => shard === 1);
    const refused = await pause(batch);
    expectRefusal(refused, "shard_recovering", { outcome: "unknown" });
    expect(refused.body.detail).toContain("version 5");
    expect(await read(batch)).toMatchObject({ etag: '"5"', body: { state: "paused", inForce: false } });
    expectRefusal(await pause(batch), "shard_recovering", { outcome: "unknown" });
    expectRefusal(await pause(batch, "second"), "precondition_failed");
    await world.owner.speak();
    expect(await pause(batch)).toMatchObject({ status: 200, etag: '"5"' });
    expect(await pause(batch, "second", '"5"')).toMatchObject({ status: 200, etag: '"5"' });
    await eventually(async () => (await read(batch)).body.inForce === true);
  });

  test("a missed confirmation is asked for again by the same request", async () => {
    const batch = await desk.issuing();
    world.owner.keepSilent();
    expectRefusal(await pause(batch), "shard_recovering", { outcome: "unknown" });
    // Owners confirm what is published again; what they said meanwhile is lost.
    world.owner.keepSilent(() => false);
    expect(await pause(batch)).toMatchObject({ status: 200, etag: '"5"' });
  });

  test("a newer version in force counts for an older one", async () => {
    const batch = await desk.issuing();
    world.owner.keepSilent(({ version }) => version === 5);
    const pausing = pause(batch);
    await eventually(() => world.owner.newestOf(batch.body.batchId)?.version === 5);
    const resume = `/ops/v1/batches/${batch.body.batchId}/resume`;
    expect((await world.call("second", "POST", resume, { ifMatch: '"5"' })).status).toBe(200);
    expect((await pausing).status).toBe(200);
    world.owner.keepSilent(() => false);
  });

  test("a second instance of the service sees what the first has changed, confirmed", async () => {
    const batch = await desk.issuing();
    const other = new World();
    await other.join(world);
    try {
      expect(
        await other.call("operator", "POST", `/ops/v1/batches/${batch.body.batchId}/pause`, { ifMatch: batch.etag }),
      ).toMatchObject({ status: 200, body: { state: "paused", inForce: true } });
      expect(await pause(batch)).toMatchObject({ status: 200, etag: '"5"' });
    } finally {
      await other.close();
    }
  });
});

describe("a restart of the service", () => {
  test("publishes what was on record and not in Kafka, and asks again for what nobody confirmed", async () => {
    const batch = await desk.issuing();
    const { batchId } = batch.body;
    world.owner.keepSilent();
    expectRefusal(await pause(batch), "shard_recovering", { outcome: "unknown" });
    await world.stopCampaigns();
    world.owner.keepSilent(() => false);
    await world.startCampaigns();
    await eventually(async () => (await read(batch)).body.inForce === true);
    expect(world.owner.versionsOf(batchId).filter((version) => version === 5).length).toBeGreaterThan(1);
  });

  test("undoes a decrease that was under way, for nobody knows what the shards said", async () => {
    const batch = await desk.issuing();
    const { batchId, campaignId } = batch.body;
    world.owner.keepSilent();
    const path = `/ops/v1/batches/${batchId}/stock-changes`;
    const body = { from: 100, to: 50, reason: "less demand" };
    expectRefusal(await world.call("operator", "POST", path, { body, ifMatch: batch.etag }), "shard_recovering", {
      outcome: "unknown",
    });
    await world.stopCampaigns();
    world.owner.keepSilent(() => false);
    await world.startCampaigns();
    await eventually(async () => (await read(batch)).body.inForce === true);
    expect(await read(batch)).toMatchObject({ etag: '"6"', body: { stock: { total: 100 } } });
    expect(world.owner.newestOf(batchId)).toMatchObject({ version: 6, stock: { total: 100 } });
    expect(await desk.reserved(campaignId)).toBe(100_000);
  });
});
