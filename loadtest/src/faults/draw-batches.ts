import type { FundingShare, Stock, Template } from "@coupon/domain";
import type { Random } from "./random.ts";

/** A batch as a schedule has it; its number is its place + 1. */
export interface PlannedBatch {
  purpose: "limits" | "orders" | "drain";
  stock: Stock;
  shards: number;
  template: Template;
  funding: FundingShare[];
}

/** An operator's change while everything runs. */
export interface RuleChange {
  atMs: number;
  batch: number;
  change: { state: "paused" | "issuing" } | { moreStock: number };
}

const TIME_ZONE = "Asia/Shanghai";
const TWO_PARTIES: FundingShare[] = [
  { party: "brand", basisPoints: 6_000 },
  { party: "store", basisPoints: 4_000 },
];

export function drawBatches(random: Random): PlannedBatch[] {
  const total = random.whole(60, 250);
  const perDay = random.chance(40) ? { perDay: random.whole(30, total) } : {};
  return [
    {
      purpose: "limits",
      // A day's stock needs a batch of one shard.
      shards: "perDay" in perDay ? 1 : random.whole(1, 2),
      stock: { total, perUser: random.whole(1, 3), ...perDay },
      template: drawTemplate(random),
      funding: TWO_PARTIES,
    },
    {
      purpose: "orders",
      shards: random.whole(1, 2),
      stock: { total: 2_000, perUser: random.whole(2, 4) },
      template: drawTemplate(random),
      funding: TWO_PARTIES,
    },
    drainBatch(random, random.whole(2, 4), random.whole(40, 160)),
  ];
}

/** A batch that a crowd will have emptied. */
export function drainBatch(random: Random, shards: number, total: number): PlannedBatch {
  return { purpose: "drain", shards, stock: { total, perUser: 1 }, template: drawTemplate(random), funding: [] };
}

function drawTemplate(random: Random): Template {
  return {
    name: "Off",
    benefit: random.chance(50)
      ? { kind: "amount_off", amount: random.whole(1, 2_000), currency: "CNY" }
      : {
          kind: "percent_off",
          basisPointsOff: random.whole(1, 9_999),
          maxAmount: random.whole(1, 900),
          currency: "CNY",
        },
    validity: { days: 30, mode: "rolling" },
    timeZone: TIME_ZONE,
    refundPolicy: random.pick(["restore", "forfeit"] as const),
  };
}

/** Pauses that end, and stock that grows. */
export function drawRuleChanges(random: Random, batches: readonly PlannedBatch[], lastsMs: number): RuleChange[] {
  return batches.flatMap((_, batch): RuleChange[] => {
    const atMs = random.whole(0, lastsMs);
    if (random.chance(25)) return [{ atMs, batch, change: { moreStock: random.whole(1, 40) } }];
    if (!random.chance(25)) return [];
    const paused = { atMs, batch, change: { state: "paused" } } as const;
    return [paused, { atMs: atMs + random.whole(50, 900), batch, change: { state: "issuing" } }];
  });
}
