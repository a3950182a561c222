import type { Pool } from "@coupon/database";
import type { LoggedRequest } from "./logged-request.ts";
import { readIssued, readRedeemed, referCoupons } from "./rows.ts";
import { judge, type StockLimit, type Verdict } from "./verdict.ts";

/** Compares all that a batch was asked for with what PostgreSQL has of it; the ledger must have applied the log. */
export async function judgeBatch(
  pool: Pool,
  batchNumber: number,
  requests: readonly LoggedRequest[],
  stock: StockLimit,
): Promise<Verdict> {
  const issued = await readIssued(pool, batchNumber);
  const redeemed = await readRedeemed(pool, batchNumber);
  return judge(referCoupons(requests), issued, redeemed, stock);
}
