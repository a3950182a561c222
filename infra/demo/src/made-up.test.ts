import { checkTemplate } from "@coupon/domain";
import { expect, test } from "vitest";
import { loadDataset } from "./dataset.ts";
import { kindOf, outOfScopeProductId, redemptionOf, windowOf } from "./made-up.ts";

const { campaigns } = loadDataset();
const now = Date.parse("2026-03-09T12:00:00Z");

test("a window keeps the campaign's days, contains now and starts at midnight in New York", () => {
  const campaign = campaigns.find((it) => it.campaignId === 26);
  if (!campaign) throw new Error("campaign 26 is missing");
  // The clocks change on 2026-03-08: 54 days later the offset is another.
  expect(windowOf(campaign, now)).toEqual({ from: "2026-03-08T05:00:00Z", until: "2026-05-01T04:00:00Z" });
});

test("every template is within its bounds and made up alike each time", () => {
  const kinds = new Set<string>();
  for (const campaign of campaigns) {
    const window = windowOf(campaign, now);
    for (const coupon of campaign.kinds) {
      const kind = kindOf(campaign, coupon, window);
      expect(kindOf(campaign, coupon, window)).toEqual(kind);
      expect(kind.greatestDiscount).toBeGreaterThanOrEqual(50);
      expect(kind.greatestDiscount).toBeLessThanOrEqual(500);
      expect(checkTemplate(kind.template)).toEqual([]);
      expect(kind.template.scope?.productIds).not.toContain(outOfScopeProductId);
      kinds.add(kind.template.benefit.kind);
    }
  }
  expect([...kinds].sort()).toEqual(["amount_off", "percent_off"]);
});

test("every order adds up, reaches its minimum spend in scope, and gets a whole discount of its own coupon", () => {
  const orderIds = new Set<string>();
  for (const campaign of campaigns) {
    for (const real of campaign.redemptions) {
      const { order, orderId, discount } = redemptionOf(campaign, real);
      expect(order.lines.reduce((sum, it) => sum + it.quantity * it.unitAmount, 0)).toBe(order.amount);
      expect(order.lines[0]?.unitAmount).toBeGreaterThanOrEqual(1_000);
      expect(Number.isInteger(discount) && discount > 0 && discount <= 500).toBe(true);
      expect(orderId).toMatch(/^[A-Za-z0-9_.:@-]{1,128}$/);
      orderIds.add(orderId);
    }
  }
  expect(orderIds.size).toBe(2_102);
});
