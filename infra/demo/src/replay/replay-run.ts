import type { CouponClient } from "@coupon/client";
import { decodeCouponId } from "@coupon/domain";
import { countDataset, type RealCampaign } from "../dataset.ts";
import { grantKind, redeemCampaign } from "../issue-and-redeem.ts";
import { mapLimited } from "../map-limited.ts";
import { planOf } from "../plans.ts";
import { type Desk, setUpCampaign } from "../set-up-campaign.ts";

/** What the replay of one campaign came to, as the platform answered it. */
export interface ReplayedCampaign {
  real: RealCampaign;
  batches: { batchNumber: number; shards: number }[];
  coupons: number;
  grantsRefused: number;
  redeemed: number;
  refusedRedemptions: number;
  /** Refusals by code, all of which should be `coupon_redeemed`. */
  refusedCodes: Record<string, number>;
  /** Redemptions whose discount is not what the rule makes up. */
  wrongDiscounts: number;
}

/** Told of what is done, in units of the step that is under way. */
export interface ReplayProgress {
  begin(step: string, total: number): void;
  advance(count: number): void;
}

/** How long each step took in all, in seconds. */
export interface ReplayTimes {
  setUp: number;
  grants: number;
  redemptions: number;
}

const batchesAtOnce = 4;

interface Prepared {
  real: RealCampaign;
  batches: { batchId: string; batchNumber: number; shards: number; upc: string }[];
}

/** Replays campaigns: sets all of them up, then grants all coupons, then redeems in the order of the days. */
export async function replayCampaigns(
  desk: Desk,
  client: CouponClient,
  campaigns: readonly RealCampaign[],
  perUser: number,
  progress: ReplayProgress,
): Promise<{ replayed: ReplayedCampaign[]; times: ReplayTimes }> {
  const expected = countDataset(campaigns, perUser);
  progress.begin("batches", expected.batches);
  const [prepared, setUp] = await timed(() => prepare(desk, campaigns, perUser, progress));
  progress.begin("coupons", expected.coupons);
  const [books, grants] = await timed(() =>
    mapOneByOne(prepared, (it) => grantCampaign(client, it, perUser, progress)),
  );
  progress.begin("redemptions", expected.redemptions);
  const [replayed, redemptions] = await timed(() =>
    mapOneByOne(prepared, (it, i) => redeemPrepared(client, it, books[i] as GrantedCampaign, progress)),
  );
  return { replayed, times: { setUp, grants, redemptions } };
}

async function prepare(
  desk: Desk,
  campaigns: readonly RealCampaign[],
  perUser: number,
  progress: ReplayProgress,
): Promise<Prepared[]> {
  return mapOneByOne(campaigns, async (real) => {
    const plan = planOf(real, perUser, `Complete Journey campaign ${real.campaignId}`, Date.now());
    const { batches } = await setUpCampaign(desk, plan, () => progress.advance(1));
    return {
      real,
      batches: batches.map(({ batchId, batchNumber, shards }, i) => ({
        batchId,
        batchNumber,
        shards: shards ?? 1,
        upc: real.kinds[i]?.upc ?? "",
      })),
    };
  });
}

interface GrantedCampaign {
  /** By UPC and user. Only coupons that are wanted for a redemption are kept. */
  book: Map<string, string[]>;
  coupons: number;
  refused: number;
}

async function grantCampaign(
  client: CouponClient,
  { real, batches }: Prepared,
  perUser: number,
  progress: ReplayProgress,
): Promise<GrantedCampaign> {
  const wanted = new Set(real.redemptions.map((it) => `${it.upc} household-${it.household}`));
  const book = new Map<string, string[]>();
  const counts = await mapLimited(batches, batchesAtOnce, async ({ batchId, upc }) => {
    const { coupons, refused } = await grantKind(client, real, batchId, perUser);
    for (const { userId, couponId } of coupons) {
      const key = `${upc} ${userId}`;
      if (wanted.has(key)) book.set(key, [...(book.get(key) ?? []), couponId]);
    }
    progress.advance(coupons.length);
    return { coupons: new Set(coupons.map((it) => it.couponId)).size, refused };
  });
  const sum = (of: "coupons" | "refused") => counts.reduce((total, it) => total + it[of], 0);
  return { book, coupons: sum("coupons"), refused: sum("refused") };
}

async function redeemPrepared(
  client: CouponClient,
  { real, batches }: Prepared,
  granted: GrantedCampaign,
  progress: ReplayProgress,
): Promise<ReplayedCampaign> {
  const tried = await redeemCampaign(client, real, (upc, userId) => granted.book.get(`${upc} ${userId}`) ?? []);
  progress.advance(tried.length);
  let redeemed = 0;
  const refusedCodes: Record<string, number> = {};
  let wrongDiscounts = 0;
  for (const { result, couponId, wanted } of tried) {
    if (result.ok && decodeCouponId(couponId) !== null) {
      redeemed += 1;
      if (result.value.discount !== wanted.discount) wrongDiscounts += 1;
    } else {
      const code = result.ok ? "not a coupon id" : (result.refusal?.code ?? "no answer");
      refusedCodes[code] = (refusedCodes[code] ?? 0) + 1;
    }
  }
  const refusedRedemptions = tried.length - redeemed;
  const { coupons, refused: grantsRefused } = granted;
  return { real, batches, coupons, grantsRefused, redeemed, refusedRedemptions, refusedCodes, wrongDiscounts };
}

async function mapOneByOne<Item, Result>(
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  return mapLimited(items, 1, work);
}

async function timed<Result>(work: () => Promise<Result>): Promise<[Result, seconds: number]> {
  const startedAt = performance.now();
  const result = await work();
  return [result, (performance.now() - startedAt) / 1000];
}
