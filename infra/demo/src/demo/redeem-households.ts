import { redeemCampaign, type TriedRedemption } from "../issue-and-redeem.ts";
import { bookKey, type CouponBook, type DemoRun, type Redeemed } from "./demo-run.ts";

/** Redeems what the campaign's households redeemed, each for an order of its own. */
export async function redeemHouseholds(run: DemoRun, book: CouponBook): Promise<Redeemed> {
  const { figures, real, client } = run;
  figures.heading("3. Redeem what these households redeemed");
  const tried = await redeemCampaign(client, real, (upc, userId) => book.get(bookKey(upc, userId)) ?? []);
  const succeeded = tried.filter((it) => it.result.ok);
  const refused = tried.filter((it) => !it.result.ok);
  figures.check("redemptions tried", 22, tried.length);
  figures.check("redeemed", 21, succeeded.length);
  figures.check("refused", 1, refused.length);
  const [second] = refused;
  figures.check("…because the household had redeemed that coupon before", "coupon_redeemed", codeOf(second));
  const expected = succeeded.reduce((sum, it) => sum + it.wanted.discount, 0);
  const got = succeeded.reduce((sum, it) => sum + (it.result.ok ? it.result.value.discount : 0), 0);
  figures.check("discount given, in cents", expected, got);
  return { succeeded, refused };
}

function codeOf(tried: TriedRedemption | undefined): string {
  if (tried === undefined) return "nothing was refused";
  return tried.result.ok ? "redeemed" : (tried.result.refusal?.code ?? "no answer");
}
