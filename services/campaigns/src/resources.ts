import type { PrismaClient } from "@coupon/database/prisma";
import type { CampaignMetrics } from "./metrics.ts";
import type { Confirmations } from "./publishing/confirmations.ts";
import type { Publisher } from "./publishing/publisher.ts";
import type { IssuingCalls } from "./stores/issuing-calls.ts";
import type { LedgerStats } from "./stores/ledger-stats.ts";

/** Everything that use cases need, made once by `compose`. */
export interface Resources {
  prisma: PrismaClient;
  publisher: Pick<Publisher, "kick">;
  confirmations: Confirmations;
  ledger: LedgerStats;
  issuing: IssuingCalls;
  metrics: CampaignMetrics;
  now: () => Date;
  settings: Settings;
}

export interface Settings {
  /** Longest wait for a change to be in force on every shard, in milliseconds. */
  confirmTimeoutMs: number;
  /** Of the key that new batches' coupon ids are made with. */
  couponKeyVersion: number;
}
