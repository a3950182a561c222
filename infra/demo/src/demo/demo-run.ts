import type { CouponClient } from "@coupon/client";
import type { Pool } from "@coupon/database";
import type { LogReader } from "@coupon/events";
import type { DemoCaller } from "../callers.ts";
import type { RealCampaign } from "../dataset.ts";
import type { Figures } from "../figures.ts";
import type { TriedRedemption } from "../issue-and-redeem.ts";
import type { LocalStack } from "../local-stack.ts";
import type { Desk, IssuingCampaign } from "../set-up-campaign.ts";

/** What the steps of the demonstration share. */
export interface DemoRun {
  local: LocalStack;
  desk: Desk;
  caller: DemoCaller;
  client: CouponClient;
  /** Another front-end business, entitled to nothing of this. */
  otherClient: CouponClient;
  pool: Pool;
  reader: LogReader;
  figures: Figures;
  /** Of the data set. */
  real: RealCampaign;
}

/** What the steps make for those after them. */
export interface ImportedCampaign {
  campaign: IssuingCampaign;
  /** Batch ids by UPC. */
  batchIds: ReadonlyMap<string, string>;
}

/** Coupon ids by UPC and user, in the order in which they were granted. */
export type CouponBook = Map<string, string[]>;

export const bookKey = (upc: string, userId: string): string => `${upc} ${userId}`;

/** What redeeming left behind. */
export interface Redeemed {
  succeeded: TriedRedemption[];
  refused: TriedRedemption[];
}
