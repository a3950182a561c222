import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "./support/desk.ts";
import { World } from "./support/world.ts";

const world = new World();
const desk = new Desk(world);

beforeAll(() => world.start());
afterAll(() => world.close());

describe("the life of a batch", () => {
  test("goes from draft to ended, published from its approval on, each version once in force", async () => {
    let batch = await desk.draft();
    const { batchId, campaignId } = batch.body;
    expect(batch.body).toMatchObject({ state: "draft", version: 1, inForce: false });
    batch = await desk.act(batch, "operator", "submit");
    expect(batch.body).toMatchObject({ state: "in_review", templateVersion: 1 });
    expect(world.owner.versionsOf(batchId)).toEqual([]);
    batch = await desk.act(batch, "approver", "approve");
    expect(batch.body).toMatchObject({ state: "approved", approvedBy: "anna", inForce: true });
    expect(await desk.reserved(campaignId)).toBe(100 * 1_000);
    for (const [action, state] of [
      ["start", "issuing"],
      ["pause", "paused"],
      ["resume", "issuing"],
      ["end", "ended"],
    ] as const) {
      batch = await desk.act(batch, "operator", action);
      expect(batch.body).toMatchObject({ state, inForce: true });
      expect(world.owner.newestOf(batchId)).toMatchObject({ state, version: batch.body.version, revoked: false });
    }
    expect(world.owner.versionsOf(batchId)).toEqual([3, 4, 5, 6, 7]);
  });

  test("leaves an audit of every change: who, what, before and after", async () => {
    const { batchId } = (await desk.issuing()).body;
    const audits = await world.prisma.audit.findMany({ where: { resourceId: batchId }, orderBy: { version: "asc" } });
    expect(audits.map(({ actor, action, version }) => [actor, action, version])).toEqual([
      ["olga", "create", 1],
      ["olga", "submit", 2],
      ["anna", "approve", 3],
      ["olga", "start", 4],
    ]);
    expect(audits[3]).toMatchObject({ before: { state: "approved" }, after: { state: "issuing" } });
  });

  test("empties the outbox once Kafka has what was in it", async () => {
    await desk.issuing();
    await eventually(async () => (await world.prisma.publication.count()) === 0);
  });
});
