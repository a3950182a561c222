import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { now, startReadWorld } from "./support/read-world.ts";
import { ShardStory } from "./support/shard-story.ts";
import { batchOf, type World } from "./support/world.ts";

let world: World;
beforeAll(async () => {
  world = await startReadWorld();
});
afterAll(() => world.close());

describe("GET /internal/v1/batches/{batchNumber}/stats", () => {
  it("adds up what the batch has come to", async () => {
    const { status, body } = await world.get("/internal/v1/batches/4/stats");
    expect(status).toBe(200);
    // One of the two coupons is too old to be redeemed.
    expect(body).toEqual({
      batchNumber: 4,
      issued: 2,
      redeemed: 0,
      reversed: 0,
      cost: { amount: 0, currency: "CNY" },
      liability: { amount: 500, currency: "CNY" },
      asOf: expect.stringMatching(/Z$/),
    });
    expect((await world.get("/internal/v1/batches/2/stats")).body).toMatchObject({
      issued: 1,
      liability: { amount: 0 },
    });
    expect((await world.get("/internal/v1/batches/8/stats")).body).toMatchObject({
      issued: 1,
      liability: { amount: 0 },
    });
  });

  it("counts redemptions, reversals and what they cost", async () => {
    const batch = batchOf(31);
    await world.publish(batch);
    const story = new ShardStory(31, 0, now);
    const after = await world.append(1, [
      story.rules(),
      story.issue(["a", "b", "c", "d"]),
      story.redeem(0, "s0"),
      story.redeem(1, "s1"),
      story.reverse(0, "s0", 500, 0, true),
      story.reverse(1, "s1", 100, 400, false),
      story.deactivate(2),
    ]);
    const stats = await eventually(async () => {
      const answer = await world.get("/internal/v1/batches/31/stats", { "read-after": after });
      return answer.status === 200 && answer.body;
    });
    expect(stats).toMatchObject({
      issued: 4,
      redeemed: 2,
      reversed: 2,
      cost: { amount: 400 },
      // Coupons 0 (it came back) and 3.
      liability: { amount: 1_000 },
    });
    expect(Math.abs(Date.parse(stats.asOf) - Date.now())).toBeLessThan(60_000);
  });

  it("does not know a batch that was never published", async () => {
    const answer = await world.get("/internal/v1/batches/999/stats");
    expect([answer.status, answer.body.code]).toEqual([404, "batch_not_found"]);
  });
});
