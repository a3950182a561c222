import { expect, test } from "vitest";
import type { BatchCounts } from "../counts/counts.ts";
import { loadDataset } from "../dataset.ts";
import { Figures } from "../figures.ts";
import { readReplayOptions } from "./replay-options.ts";
import { reportReplay } from "./replay-report.ts";
import type { ReplayedCampaign } from "./replay-run.ts";

const real = loadDataset().campaigns.filter((it) => it.campaignId === 26);

function replayed(): ReplayedCampaign[] {
  return real.map((it) => ({
    real: it,
    batches: it.kinds.map((_, i) => ({ batchNumber: i + 1, shards: 1 })),
    coupons: 3_894,
    grantsRefused: 0,
    redeemed: 21,
    refusedRedemptions: 1,
    refusedCodes: { coupon_redeemed: 1 },
    wrongDiscounts: 0,
  }));
}

function counts(change: Partial<BatchCounts> = {}) {
  const all = new Map(Array.from({ length: 33 }, (_, i) => [i + 1, { issued: 118, redeemed: 0 }]));
  all.set(1, { issued: 118, redeemed: 21, ...change });
  return all;
}

function wrongFigures(campaigns: ReplayedCampaign[], redis = counts()): { wrong: number; text: string } {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const figures = new Figures(write);
  reportReplay(figures, campaigns, { postgres: counts(), redis, log: counts() }, 1, write);
  return { wrong: figures.wrong, text: lines.join("\n") };
}

test("everything is right where the three stores and the data set agree", () => {
  const { wrong, text } = wrongFigures(replayed());
  expect(wrong).toBe(0);
  expect(text).toMatch(/│ 26 +│ 33 +│ 3894 +│ 3894 +│ 3894 +│ 3894 +│ 21 +│ 21 +│ 21 +│ 21 +│ ✓ │/);
});

test("one coupon or one redemption too few in one store is found", () => {
  expect(wrongFigures(replayed(), counts({ issued: 117 })).wrong).toBe(1);
  expect(wrongFigures(replayed(), counts({ redeemed: 22 })).text).toMatch(/│ ✗ │/);
});

test("a refusal for another reason, and a discount that differs, are found", () => {
  const otherCode = replayed().map((it) => ({ ...it, refusedCodes: { coupon_expired: 1 } }));
  expect(wrongFigures(otherCode).wrong).toBe(1);
  const discount = replayed().map((it) => ({ ...it, wrongDiscounts: 1 }));
  expect(wrongFigures(discount).wrong).toBe(1);
});

test("options have bounds", () => {
  expect(readReplayOptions([])).toEqual({ perUser: 1, campaigns: [], keep: false });
  expect(readReplayOptions(["--", "--per-user", "2", "--campaign", "26"])).toMatchObject({
    perUser: 2,
    campaigns: [26],
  });
  expect(() => readReplayOptions(["--per-user", "0"])).toThrow("--per-user");
  expect(() => readReplayOptions(["--campaign", "28"])).toThrow("--campaign");
});
