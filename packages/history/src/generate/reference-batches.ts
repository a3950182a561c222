import { type BatchDefinition, partitionOf, type ShardRules, shardPart } from "@coupon/domain";
import type { BatchVersion } from "../history.ts";
import type { Random } from "./random.ts";
import type { ReferenceLog } from "./reference-log.ts";
import type { BatchOfShards } from "./reference-platform.ts";
import type { ReferenceRows } from "./reference-rows.ts";
import { ReferenceShard } from "./reference-shard.ts";

export const CALLERS = ["shop", "mall"] as const;

export interface ReferenceBatch extends BatchOfShards {
  versions: BatchVersion[];
}

/** A batch of any of the kinds that there are, with a stock that the crowd may or may not use up. */
export function drawBatch(random: Random, number: number, stockAbout: number, partitions: number): ReferenceBatch {
  const perDay = random.chance(0.3);
  const shards = perDay ? 1 : random.pick([1, 1, 2, 4]);
  const total = random.whole(Math.ceil(stockAbout / 2), stockAbout * 2);
  const percent = random.chance(0.4);
  const definition: BatchDefinition = {
    batchId: `batch-${number}`,
    batchNumber: number,
    version: 1,
    campaignId: "campaign-1",
    name: "Off",
    sandbox: false,
    state: "issuing",
    revoked: false,
    template: {
      name: "Off",
      benefit: percent
        ? { kind: "percent_off", basisPointsOff: random.whole(100, 5_000), maxAmount: 2_000, currency: "CNY" }
        : { kind: "amount_off", amount: random.whole(1, 1_500), currency: "CNY" },
      ...(random.chance(0.3) ? { minimumSpend: { amount: 1_000, currency: "CNY" } } : {}),
      validity: random.pick([
        { days: 2, mode: "rolling" } as const,
        { days: 3, mode: "calendar" } as const,
        { from: "2024-01-01T00:00:00Z", until: "2040-01-01T00:00:00Z" },
      ]),
      timeZone: "Asia/Shanghai",
      refundPolicy: random.pick(["restore", "forfeit"] as const),
    },
    stock: {
      total,
      perUser: random.whole(1, 4),
      ...(perDay ? { perDay: Math.ceil(total / 6) } : {}),
      ...(random.chance(0.3) ? { perUserPerDay: 1 } : {}),
    },
    issueWindow: { from: "2024-01-01T00:00:00Z", until: "2040-01-01T00:00:00Z" },
    callers: CALLERS.map((callerId) => ({ callerId, may: ["issue", "redeem", "reverse", "read"] as const })).map(
      ({ callerId, may }) => ({ callerId, may: [...may] }),
    ),
    funding: [
      { party: "brand", basisPoints: 6_000 },
      { party: "store", basisPoints: 4_000 },
    ],
    timeZone: "Asia/Shanghai",
    shards,
    couponKeyVersion: 1,
  };
  const made = Array.from(
    { length: shards },
    (_, shard) => new ReferenceShard({ batch: number, shard }, partitionOf(number, shard, partitions)),
  );
  return {
    definition,
    shards: made,
    versions: [{ definition, publishedAtMs: Number.NEGATIVE_INFINITY, inForceAtMs: null }],
  };
}

/** A new version begins: more stock, a pause or its end. */
export function drawVersion(random: Random, batch: ReferenceBatch, nowMs: number): void {
  const { definition } = batch;
  const paused = definition.state === "paused";
  const more = !paused && random.chance(0.5);
  const next: BatchDefinition = {
    ...definition,
    version: definition.version + 1,
    state: paused || more ? "issuing" : "paused",
    stock: { ...definition.stock, total: definition.stock.total + (more ? random.whole(1, 50) : 0) },
  };
  batch.versions.push({ definition: next, publishedAtMs: nowMs, inForceAtMs: null });
  batch.definition = next;
}

/** The newest version enters a shard by an entry. */
export function enforce(
  batch: ReferenceBatch,
  shard: ReferenceShard,
  nowMs: number,
  log: ReferenceLog,
  rows: ReferenceRows,
): void {
  const { definition } = batch;
  const { version, state, revoked, stock, shards, issueWindow } = definition;
  const part = (total: number) => shardPart(total, shards, shard.address.shard);
  const rules: ShardRules = {
    version,
    state,
    revoked,
    fromMs: Date.parse(issueWindow.from),
    untilMs: Date.parse(issueWindow.until),
    allotment: part(stock.total),
    perDay: stock.perDay === undefined ? null : part(stock.perDay),
    perUser: stock.perUser,
    perUserPerDay: stock.perUserPerDay ?? null,
    buckets: shard.rules?.buckets ?? 1,
  };
  log.append(shard, Math.max(nowMs, shard.atMs), "rules", { rules });
  shard.left += rules.allotment - (shard.rules?.allotment ?? 0);
  shard.rules = rules;
  rows.ruled(shard, rules);
}
