import Table from "cli-table3";
import { type Counts, sumCounts } from "../counts/counts.ts";
import { countDataset } from "../dataset.ts";
import type { Figures } from "../figures.ts";
import type { ReplayedCampaign } from "./replay-run.ts";

/** The same counts from each place that has them. */
export interface StoreCounts {
  postgres: Counts;
  redis: Counts;
  log: Counts;
}

const stores = ["postgres", "redis", "log"] as const;

/**
 * Shows the counts of each campaign as the data set, PostgreSQL, Redis and the log have them, and checks that they
 * agree to the unit.
 */
export function reportReplay(
  figures: Figures,
  replayed: readonly ReplayedCampaign[],
  counts: StoreCounts,
  perUser: number,
  write: (line: string) => void,
): void {
  const table = new Table({
    head: [
      "campaign",
      "batches",
      "coupons",
      "PostgreSQL",
      "Redis",
      "log",
      "redeemed",
      "PostgreSQL",
      "Redis",
      "log",
      "",
    ],
    style: { head: [], border: [] },
  });
  let disagreeing = 0;
  for (const campaign of replayed) {
    const expected = countDataset([campaign.real], perUser);
    const redeemed = expected.redemptions - expected.refusedRedemptions;
    const numbers = campaign.batches.map((it) => it.batchNumber);
    const found = stores.map((store) => sumCounts(counts[store], numbers));
    const agrees = found.every((it) => it.issued === expected.coupons && it.redeemed === redeemed);
    if (!agrees) disagreeing += 1;
    table.push([
      campaign.real.campaignId,
      campaign.batches.length,
      expected.coupons,
      ...found.map((it) => it.issued),
      redeemed,
      ...found.map((it) => it.redeemed),
      agrees ? "✓" : "✗",
    ]);
  }
  write(table.toString());
  figures.check("campaigns whose counts disagree", 0, disagreeing);
  checkAnswers(figures, replayed, perUser);
}

/** What the platform answered, against what is known of the data set. */
function checkAnswers(figures: Figures, replayed: readonly ReplayedCampaign[], perUser: number): void {
  const reals = replayed.map((it) => it.real);
  const expected = countDataset(reals, perUser);
  const sum = (of: (it: ReplayedCampaign) => number) => replayed.reduce((total, it) => total + of(it), 0);
  figures.check(
    "batches",
    expected.batches,
    sum((it) => it.batches.length),
  );
  figures.check(
    "coupons granted",
    expected.coupons,
    sum((it) => it.coupons),
  );
  figures.check(
    "grants refused",
    0,
    sum((it) => it.grantsRefused),
  );
  figures.check(
    "redemptions tried",
    expected.redemptions,
    sum((it) => it.redeemed + it.refusedRedemptions),
  );
  figures.check(
    "redemptions refused",
    expected.refusedRedemptions,
    sum((it) => it.refusedRedemptions),
  );
  figures.check(
    "…because the household had redeemed that coupon before",
    expected.refusedRedemptions,
    sum((it) => it.refusedCodes.coupon_redeemed ?? 0),
  );
  figures.check(
    "discounts that differ from the rule's",
    0,
    sum((it) => it.wrongDiscounts),
  );
}
