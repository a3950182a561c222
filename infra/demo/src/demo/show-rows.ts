import { decodeCouponId } from "@coupon/domain";
import Table from "cli-table3";
import { readLogEnds, untilApplied } from "../applied.ts";
import type { TriedRedemption } from "../issue-and-redeem.ts";
import type { DemoRun, ImportedCampaign, Redeemed } from "./demo-run.ts";

const appliedWithinMs = 60_000;

/** Checks what PostgreSQL has of all this, and shows the rows of one coupon as they stand there. */
export async function showRows(
  run: DemoRun,
  { campaign }: ImportedCampaign,
  { succeeded }: Redeemed,
  reversed: TriedRedemption,
): Promise<void> {
  const { figures, pool, reader, local } = run;
  figures.heading("6. The rows as PostgreSQL has them");
  const startedAt = performance.now();
  await untilApplied(pool, await readLogEnds(reader, local.log.partitions), appliedWithinMs);
  figures.note(`the ledger stands where the log ends (${Math.round(performance.now() - startedAt)} ms waited)`);
  const batchNumbers = campaign.batches.map((it) => it.batchNumber);
  const { rows } = await pool.query<Record<"coupons" | "redeemed" | "redemptions" | "given" | "reversals", number>>(
    `SELECT
       (SELECT count(*) FROM ledger.coupon WHERE batch = ANY ($1::integer[])) AS coupons,
       (SELECT count(*) FROM ledger.coupon WHERE batch = ANY ($1::integer[]) AND state = 3) AS redeemed,
       (SELECT count(*) FROM ledger.redemption WHERE batch = ANY ($1::integer[])) AS redemptions,
       (SELECT coalesce(sum(discount), 0)::bigint FROM ledger.redemption WHERE batch = ANY ($1::integer[])) AS given,
       (SELECT count(*) FROM ledger.reversal WHERE batch = ANY ($1::integer[])) AS reversals`,
    [batchNumbers],
  );
  const [counts] = rows;
  figures.check("rows of coupons", 3_894, counts?.coupons ?? -1);
  figures.check("rows of redemptions", 21, counts?.redemptions ?? -1);
  figures.check("rows of reversals", 1, counts?.reversals ?? -1);
  figures.check("coupons redeemed now, one having come back", 20, counts?.redeemed ?? -1);
  const given = succeeded.reduce((sum, it) => sum + it.wanted.discount, 0);
  figures.check("discount over all redemptions, in cents", given, counts?.given ?? -1);
  await showCoupon(run, reversed);
}

async function showCoupon({ figures, pool }: DemoRun, { couponId, wanted }: TriedRedemption): Promise<void> {
  const parts = decodeCouponId(couponId);
  if (parts === null) throw new Error(`${couponId} is not a coupon id`);
  const place = [parts.batchNumber, parts.shard, parts.serial];
  figures.note(`coupon ${couponId} of ${wanted.userId}, redeemed for ${wanted.orderId} and reversed:`);
  await showTable(
    figures,
    await pool.query(
      `SELECT 'coupon' AS row, batch, shard, serial, user_id, caller_id, state, to_timestamp(issued_at_ms / 1000.0) AS at
       FROM ledger.coupon WHERE (batch, shard, serial) = ($1, $2, $3)`,
      place,
    ),
  );
  await showTable(
    figures,
    await pool.query(
      `SELECT 'redemption' AS row, number AS entry, order_id, discount, NULL AS remaining, currency,
         to_timestamp(redeemed_at_ms / 1000.0) AS at
       FROM ledger.redemption WHERE (batch, shard, serial) = ($1, $2, $3)
       UNION ALL
       SELECT 'reversal', number, order_id, -discount, remaining, currency, to_timestamp(reversed_at_ms / 1000.0)
       FROM ledger.reversal WHERE (batch, shard, serial) = ($1, $2, $3) ORDER BY entry`,
      place,
    ),
  );
}

async function showTable(
  figures: DemoRun["figures"],
  result: { fields: { name: string }[]; rows: Record<string, unknown>[] },
): Promise<void> {
  const names = result.fields.map((it) => it.name);
  const table = new Table({ head: names, style: { head: [], border: [] } });
  for (const row of result.rows) table.push(names.map((it) => show(row[it])));
  for (const line of table.toString().split("\n")) figures.note(line);
}

function show(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value ?? "");
}
