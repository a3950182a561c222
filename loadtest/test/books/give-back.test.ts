import { CallFailed, type Coupon, expectValue, type Order } from "@coupon/client";
import type { Template } from "@coupon/domain";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BooksWorld, instantIn } from "./world.ts";

const CAP = 500;
const TOTAL = 10;
const HELD_SECONDS = 30;
const patient = { timeoutMs: 60_000 };
const world = new BooksWorld();

beforeAll(() => world.start());
afterAll(() => world.close());

/** Takes half off, and at most `CAP`. */
function halfOff(validMs: number): Template {
  return {
    name: "Half off",
    benefit: { kind: "percent_off", basisPointsOff: 5_000, maxAmount: CAP, currency: "CNY" },
    validity: { from: instantIn(-60_000), until: instantIn(validMs) },
    timeZone: "Asia/Shanghai",
    refundPolicy: "restore",
  };
}

function orderOf(...amounts: number[]): Order {
  const lines = amounts.map((unitAmount, index) => ({
    ...{ lineId: `${index + 1}`, productId: "p", quantity: 1, unitAmount },
  }));
  return { amount: amounts.reduce((sum, each) => sum + each, 0), currency: "CNY", lines };
}

async function claim(batchId: string, users: readonly string[]): Promise<Map<string, Coupon>> {
  const claimed = users.map(async (userId) => {
    const claim = await world.shopClient.claim(batchId, { userId, idempotencyKey: userId });
    return [userId, expectValue(claim)] as const;
  });
  return new Map(await Promise.all(claimed));
}

async function becomes(campaignId: string, amount: number): Promise<void> {
  await eventually(async () => {
    expect(await world.reserved(campaignId)).toBe(amount);
    return true;
  }, patient);
}

const sum = (amounts: readonly number[]) => amounts.reduce((total, each) => total + each, 0);

describe("budget that was reserved and not used, by what a real ledger has posted", () => {
  test("goes back to the unit, once, as the batch ends and its coupons expire", async () => {
    const validMs = 25_000;
    const validUntil = Date.now() + validMs;
    const batch = await world.issuingBatch(halfOff(validMs), { total: TOTAL, perUser: 1 }, TOTAL * CAP);
    const { batchId, campaignId } = batch;
    expect(await world.reserved(campaignId)).toBe(TOTAL * CAP);

    const coupons = await claim(batchId, ["whole", "part", "kept", "late", "lapsed", "idle-1", "idle-2"]);
    const use = (userId: string) => ({ userId, couponIds: [coupons.get(userId)?.couponId ?? ""] });
    const { shopClient: shop } = world;
    const [whole, part, kept] = await Promise.all([
      shop.redeem("o-whole", { ...use("whole"), order: orderOf(600) }),
      shop.redeem("o-part", { ...use("part"), order: orderOf(1_000, 1_000) }),
      shop.redeem("o-kept", { ...use("kept"), order: orderOf(241) }),
    ]);
    expect([whole, part, kept].map((it) => expectValue(it).discount)).toEqual([300, 500, 120]);
    const holds = await Promise.all(
      ["late", "lapsed"].map((userId) =>
        shop.lock(`o-${userId}`, { ...use(userId), order: orderOf(155), holdSeconds: HELD_SECONDS }),
      ),
    );
    for (const hold of holds) expect(Date.parse(expectValue(hold).lockedUntil)).toBeGreaterThan(validUntil);
    const reversals = await Promise.all([
      shop.reverse("o-whole", { all: true, reason: "returned", idempotencyKey: "r-whole" }),
      shop.reverse("o-part", { lines: [{ lineId: "2", quantity: 1 }], reason: "broken", idempotencyKey: "r-part" }),
    ]);
    expect(reversals.map((it) => expectValue(it).discountReversed)).toEqual([300, 250]);
    // Everything issued may be redeemed, or redeemed again: nothing goes back yet.
    await world.looksOver();
    expect(await world.reserved(campaignId)).toBe(TOTAL * CAP);

    await world.act(batchId, "end");
    expect(Date.now()).toBeLessThan(validUntil);
    await becomes(campaignId, 7 * CAP);
    await world.looksOver();
    expect(await world.reserved(campaignId)).toBe(7 * CAP);

    await world.kill("ledger");
    await eventually(() => Date.now() >= validUntil, patient);
    // What is held in time is still redeemed when its validity is over.
    expect(expectValue(await shop.redeem("o-late", use("late"))).discount).toBe(77);
    await world.begin("ledger");
    await becomes(campaignId, 250 + 120 + 77);
    await world.looksOver();
    expect(await world.reserved(campaignId)).toBe(447);
    const givenBack = await world.givenBack(batchId);
    expect(givenBack[0]).toBe(3 * CAP);
    expect(sum(givenBack)).toBe(TOTAL * CAP - 447);
    expect(await world.stats(batchId)).toEqual({ issued: 7, redeemed: 4, reversed: 2, cost: 447 });
    expect(await world.metric("campaigns-1", "campaigns_budget_short_total")).toBe(0);

    // What came back is there to be reserved again, and not a unit more.
    const { templateId, name, issueWindow, callers, timeZone } = batch;
    const terms = { campaignId, templateId, name, issueWindow, callers, timeZone };
    const tooMany = world.anotherBatch({ ...terms, stock: { total: 10, perUser: 1 } });
    await expect(tooMany).rejects.toThrow(CallFailed);
    await world.anotherBatch({ ...terms, stock: { total: 9, perUser: 1 } });
    expect(await world.reserved(campaignId)).toBe(447 + 9 * CAP);
  });

  test.for([
    { killed: ["campaigns-2"] as const, what: "one of the two that give it back" },
    { killed: ["campaigns-1", "campaigns-2"] as const, what: "all that give it back" },
    { killed: ["ledger"] as const, what: "the ledger" },
    { killed: [] as const, what: "nobody, asked twice at once" },
  ])("goes back once, whoever is killed in the middle: $what", async ({ killed }) => {
    const batch = await world.issuingBatch(halfOff(3_600_000), { total: TOTAL, perUser: 1 }, TOTAL * CAP);
    const { batchId, campaignId } = batch;
    // More than half, so that there would be enough to give back twice.
    const users = ["ann", "ben", "cleo", "dan", "eve", "finn"];
    await claim(batchId, users);
    const kept = users.length * CAP;
    const held = await world.holdCampaign(campaignId);
    try {
      await world.act(batchId, "end");
      // One has the batch and waits for the campaign, the other one waits for the batch.
      await world.sessionsWait(2);
      await world.kill(...killed);
    } finally {
      await held.release();
    }
    await Promise.all(killed.map((name) => world.begin(name)));
    await becomes(campaignId, kept);
    await world.looksOver();
    expect(await world.reserved(campaignId)).toBe(kept);
    expect(await world.givenBack(batchId)).toEqual([TOTAL * CAP - kept]);
  });
});
