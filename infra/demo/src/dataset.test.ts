import { expect, test } from "vitest";
import { countDataset, loadDataset } from "./dataset.ts";

const { campaigns } = loadDataset();

test("the year has the counts that are known of it, with one coupon a household and with two", () => {
  expect(campaigns).toHaveLength(27);
  expect(countDataset(campaigns, 1)).toEqual({
    batches: 1_197,
    coupons: 800_199,
    redemptions: 2_102,
    refusedRedemptions: 27,
  });
  expect(countDataset(campaigns, 2)).toEqual({
    batches: 1_197,
    coupons: 1_600_398,
    redemptions: 2_102,
    refusedRedemptions: 0,
  });
});

test("campaign 26 has 33 kinds, 118 households and 22 redemptions of which one must be refused", () => {
  const campaign = campaigns.filter((it) => it.campaignId === 26);
  expect(campaign[0]).toMatchObject({ type: "Type B", firstDay: "2016-12-28", lastDay: "2017-02-19" });
  expect(campaign[0]?.households).toHaveLength(118);
  expect(countDataset(campaign, 1)).toEqual({ batches: 33, coupons: 3_894, redemptions: 22, refusedRedemptions: 1 });
});

test("every redemption is of a coupon and by a household of its campaign, inside its dates", () => {
  for (const campaign of campaigns) {
    const households = new Set(campaign.households);
    const kinds = new Set(campaign.kinds.map((it) => it.upc));
    for (const redemption of campaign.redemptions) {
      expect(households.has(redemption.household)).toBe(true);
      expect(kinds.has(redemption.upc)).toBe(true);
      expect(redemption.day >= campaign.firstDay && redemption.day <= campaign.lastDay).toBe(true);
    }
  }
  const onLastDay = campaigns.flatMap((it) => it.redemptions.filter((one) => one.day === it.lastDay));
  expect(onLastDay).toHaveLength(28);
});

test("rows that occur twice count once", () => {
  const rows = campaigns.flatMap((it) => it.kinds).reduce((sum, it) => sum + it.productIds.length, 0);
  expect(rows).toBe(116_204 - 4_872);
});
