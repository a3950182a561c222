import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parse } from "csv-parse/sync";

/**
 * The Complete Journey data set: 27 campaigns of one year, the households that each was sent to, its
 * coupons with the products that they apply to, and the redemptions.
 *
 * Words here: a *kind* is a coupon (UPC) in a campaign, which becomes one batch; a *household* becomes a user.
 */
export interface Dataset {
  /** In the order of their numbers. */
  campaigns: RealCampaign[];
}

export interface RealCampaign {
  campaignId: number;
  type: string;
  /** First day, `YYYY-MM-DD`. */
  firstDay: string;
  /** Last day, included. */
  lastDay: string;
  /** Ascending, each once. */
  households: number[];
  /** Ascending by UPC, each once. */
  kinds: RealCoupon[];
  /** In the order of their days, then as the file has them. */
  redemptions: RealRedemption[];
}

export interface RealCoupon {
  upc: string;
  /** Products that the coupon applies to, ascending, each once. */
  productIds: string[];
}

export interface RealRedemption {
  household: number;
  upc: string;
  day: string;
  /** 1 for the household's first redemption of this coupon in this campaign, 2 for the second. */
  occurrence: number;
}

/** What is known of a set of campaigns before any of it is run. */
export interface DatasetCounts {
  batches: number;
  coupons: number;
  redemptions: number;
  /** Redemptions beyond a household's `perUser`-th of the same coupon: these must be refused. */
  refusedRedemptions: number;
}

const dataFolder = join(import.meta.dirname, "..", "data", "complete-journey");

/** Reads the data set from the files beside this package. Throws where a file is missing or a row is malformed. */
export function loadDataset(folder: string = dataFolder): Dataset {
  const households = groupBy(readRows(folder, "campaigns.csv"), (row) => field(row, "campaign_id"));
  const products = groupBy(readRows(folder, "coupons.csv.gz"), (row) => field(row, "campaign_id"));
  const redemptions = groupBy(readRows(folder, "coupon_redemptions.csv"), (row) => field(row, "campaign_id"));
  const campaigns = readRows(folder, "campaign_descriptions.csv").map((row): RealCampaign => {
    const id = field(row, "campaign_id");
    return {
      campaignId: toInteger(id),
      type: field(row, "campaign_type"),
      firstDay: field(row, "start_date"),
      lastDay: field(row, "end_date"),
      households: ascending((households.get(id) ?? []).map((it) => toInteger(field(it, "household_id")))),
      kinds: toKinds(products.get(id) ?? []),
      redemptions: toRedemptions(redemptions.get(id) ?? []),
    };
  });
  return { campaigns: campaigns.sort((a, b) => a.campaignId - b.campaignId) };
}

/** Counts what a run over these campaigns must come to, with `perUser` coupons of each kind for each household. */
export function countDataset(campaigns: readonly RealCampaign[], perUser: number): DatasetCounts {
  const counts: DatasetCounts = { batches: 0, coupons: 0, redemptions: 0, refusedRedemptions: 0 };
  for (const campaign of campaigns) {
    counts.batches += campaign.kinds.length;
    counts.coupons += campaign.kinds.length * campaign.households.length * perUser;
    counts.redemptions += campaign.redemptions.length;
    counts.refusedRedemptions += campaign.redemptions.filter((it) => it.occurrence > perUser).length;
  }
  return counts;
}

type Row = Record<string, string>;

function readRows(folder: string, file: string): Row[] {
  const bytes = readFileSync(join(folder, file));
  const text = file.endsWith(".gz") ? gunzipSync(bytes) : bytes;
  return parse(text, { columns: true, skip_empty_lines: true }) as Row[];
}

function toKinds(rows: Row[]): RealCoupon[] {
  const byUpc = groupBy(rows, (row) => field(row, "coupon_upc"));
  return [...byUpc]
    .map(([upc, its]) => ({
      upc,
      productIds: ascending(its.map((row) => toInteger(field(row, "product_id")))).map(String),
    }))
    .sort((a, b) => (a.upc < b.upc ? -1 : 1));
}

function toRedemptions(rows: Row[]): RealRedemption[] {
  const seen = new Map<string, number>();
  const sorted = rows.toSorted((a, b) => field(a, "redemption_date").localeCompare(field(b, "redemption_date")));
  return sorted.map((row) => {
    const upc = field(row, "coupon_upc");
    const household = toInteger(field(row, "household_id"));
    const occurrence = (seen.get(`${upc}/${household}`) ?? 0) + 1;
    seen.set(`${upc}/${household}`, occurrence);
    return { household, upc, day: field(row, "redemption_date"), occurrence };
  });
}

function groupBy(rows: Row[], keyOf: (row: Row) => string): Map<string, Row[]> {
  return Map.groupBy(rows, keyOf);
}

function field(row: Row, name: string): string {
  const value = row[name];
  if (value === undefined) throw new Error(`The data set has a row without ${name}: ${JSON.stringify(row)}`);
  return value;
}

function toInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`The data set has ${text} where an integer was expected`);
  return value;
}

function ascending(values: number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}
