import { createFaultProxy, eventually, type FaultProxy } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk, templateBody } from "./support/desk.ts";
import { expectRefusal } from "./support/expect-refusal.ts";
import { World } from "./support/world.ts";

let proxy: FaultProxy;
const world = new World();
const desk = new Desk(world);

beforeAll(async () => {
  const server = new URL(process.env.DATABASE_URL ?? "");
  proxy = await createFaultProxy({ host: server.hostname, port: Number(server.port) });
  await world.start({
    databaseUrl: (url) => {
      const through = new URL(url);
      through.hostname = proxy.host;
      through.port = String(proxy.port);
      return through.href;
    },
  });
});
afterAll(async () => {
  await world.close();
  await proxy.close();
});

describe("PostgreSQL away in the middle", () => {
  const create = () => world.call("operator", "POST", "/ops/v1/templates", { body: templateBody });

  test("503 for reads and changes, nothing half done, not ready; and all is well once it is back", async () => {
    const batch = await desk.issuing();
    const path = `/ops/v1/batches/${batch.body.batchId}`;
    proxy.refuse(true);
    proxy.cutAll();
    try {
      expectRefusal(await create(), "deadline_exceeded");
      expectRefusal(await world.call("viewer", "GET", path), "deadline_exceeded");
      const pausing = await world.call("operator", "POST", `${path}/pause`, { ifMatch: batch.etag });
      expectRefusal(pausing, "deadline_exceeded");
      expect((await world.call(null, "GET", "/readyz")).status).toBe(503);
      expect((await world.call(null, "GET", "/healthz")).status).toBe(200);
    } finally {
      proxy.refuse(false);
    }
    await eventually(async () => (await world.call(null, "GET", "/readyz")).status === 200);
    expect((await world.call("viewer", "GET", path)).etag).toBe(batch.etag);
    expect((await world.call("operator", "POST", `${path}/pause`, { ifMatch: batch.etag })).status).toBe(200);
  });

  test("cut anywhere in a change: all of it is there, or nothing; and the same request leads to success", async () => {
    for (const bytes of [1, 300, 900, 1_500, 2_200, 3_000, 4_000]) {
      const batch = await desk.inReview();
      const { batchId, campaignId } = batch.body;
      void proxy.cutAfterBytes(bytes, bytes % 200 === 0 ? "down" : "up");
      const approve = () =>
        world.call("approver", "POST", `/ops/v1/batches/${batchId}/approve`, { ifMatch: batch.etag });
      const first = await approve();
      if (first.status !== 200) expectRefusal(first, "deadline_exceeded");
      const { prisma } = world;
      // At one instant: the commit that was cut may still be under way.
      const [row, campaign, audits, held] = await prisma.$transaction(
        [
          prisma.batch.findUniqueOrThrow({ where: { batchId } }),
          prisma.campaign.findUniqueOrThrow({ where: { campaignId } }),
          prisma.audit.count({ where: { resourceId: batchId, action: "approve" } }),
          prisma.budgetReservation.count({ where: { batchId } }),
        ],
        { isolationLevel: "RepeatableRead" },
      );
      const there = row.state === "approved";
      expect([row.state, Number(campaign.reserved), audits, held]).toEqual(
        there ? ["approved", 100_000, 1, 1] : ["in_review", 0, 0, 0],
      );
      await eventually(async () => (await approve()).status === 200);
    }
  });

  test("a database that stands still is given up on, not waited for", async () => {
    proxy.pause();
    const startedMs = performance.now();
    try {
      expectRefusal(await create(), "deadline_exceeded");
      expect(performance.now() - startedMs).toBeLessThan(12_000);
    } finally {
      proxy.resume();
      proxy.cutAll();
    }
    await eventually(async () => (await create()).status === 201);
  });

  test("what shards confirm while it is away is recorded once it is back", async () => {
    const batch = await desk.issuing();
    world.owner.keepSilent();
    const path = `/ops/v1/batches/${batch.body.batchId}`;
    const pausing = world.call("operator", "POST", `${path}/pause`, { ifMatch: batch.etag });
    await eventually(() => world.owner.newestOf(batch.body.batchId)?.state === "paused");
    await eventually(async () => (await world.prisma.publication.count()) === 0);
    proxy.refuse(true);
    proxy.cutAll();
    await world.owner.speak();
    expectRefusal(await pausing, "deadline_exceeded");
    proxy.refuse(false);
    await eventually(async () => {
      const row = await world.prisma.batch.findUniqueOrThrow({ where: { batchId: batch.body.batchId } });
      return row.confirmedVersion === row.version;
    });
  });
});
