import type { Pool } from "@coupon/database";
import { decodeCouponId } from "@coupon/domain";
import type { LoggedRequest } from "./logged-request.ts";
import type { IssuedRow, RedeemedRow } from "./verdict.ts";

/** Coupons of a batch as PostgreSQL has them. Coupons are named by their place, which is what both sides have. */
export async function readIssued(pool: Pool, batchNumber: number): Promise<IssuedRow[]> {
  const { rows } = await pool.query<IssuedRow>(
    `SELECT batch || '.' || shard || '.' || serial AS "couponId", user_id AS "userId"
     FROM ledger.coupon WHERE batch = $1`,
    [batchNumber],
  );
  return rows;
}

/** Redemptions of a batch's coupons that have not been followed by the coupon's coming back. */
export async function readRedeemed(pool: Pool, batchNumber: number): Promise<RedeemedRow[]> {
  const { rows } = await pool.query<RedeemedRow>(
    `SELECT batch || '.' || shard || '.' || serial AS "couponId", c.user_id AS "userId", r.order_id AS "orderId"
     FROM ledger.redemption r JOIN ledger.coupon c USING (batch, shard, serial) WHERE batch = $1`,
    [batchNumber],
  );
  return rows;
}

/** The same requests with each coupon id replaced by its place. */
export function referCoupons(requests: readonly LoggedRequest[]): LoggedRequest[] {
  return requests.map((it) => ({ ...it, couponId: placeOf(it.couponId) }));
}

function placeOf(couponId: string): string {
  if (couponId === "") return "";
  const parts = decodeCouponId(couponId);
  return parts === null ? `no coupon id: ${couponId}` : `${parts.batchNumber}.${parts.shard}.${parts.serial}`;
}
