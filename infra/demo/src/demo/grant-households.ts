import { grantKind } from "../issue-and-redeem.ts";
import { mapLimited } from "../map-limited.ts";
import { bookKey, type CouponBook, type DemoRun, type ImportedCampaign } from "./demo-run.ts";

const batchesAtOnce = 4;

/** Grants every household of the campaign one coupon of each kind. */
export async function grantHouseholds(run: DemoRun, imported: ImportedCampaign): Promise<CouponBook> {
  const { figures, real, client } = run;
  figures.heading("2. Grant every household one coupon of each kind");
  const startedAt = performance.now();
  const book: CouponBook = new Map();
  const granted = await mapLimited(real.kinds, batchesAtOnce, async ({ upc }) => {
    const its = await grantKind(client, real, imported.batchIds.get(upc) ?? "", 1);
    for (const { userId, couponId } of its.coupons) book.set(bookKey(upc, userId), [couponId]);
    return its;
  });
  const coupons = granted.flatMap((it) => it.coupons);
  const seconds = (performance.now() - startedAt) / 1000;
  figures.check("households", 118, new Set(coupons.map((it) => it.userId)).size);
  figures.check("coupons granted", 3_894, new Set(coupons.map((it) => it.couponId)).size);
  const refused = granted.reduce((sum, it) => sum + it.refused, 0);
  figures.check("grants refused", 0, refused);
  const replayed = coupons.filter((it) => it.replayed).length;
  figures.note(
    `in ${seconds.toFixed(2)} s; ${replayed.toLocaleString("en-US")} of them were there from an earlier run`,
  );
  return book;
}
