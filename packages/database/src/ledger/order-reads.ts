import type { Discount } from "@coupon/domain";
import type { Queryable } from "../pool.ts";
import type { CouponKey } from "./rows.ts";

/** A coupon of an order, with what its id is made from. */
export interface OrderCoupon extends CouponKey {
  userId: string;
  issuedAtMs: number;
}

export interface OrderHold extends OrderCoupon {
  untilMs: number;
  discount: Discount;
}

export interface OrderRedemption extends OrderCoupon {
  redeemedAtMs: number;
  discount: Discount;
}

export interface OrderReversal extends OrderCoupon {
  reversalId: string;
  reversedAtMs: number;
  discountReversed: number;
  /** Discount of the coupon's redemption that was left after it. */
  remaining: number;
  restored: boolean;
}

/** What is on record of a caller's order; of each list the oldest first. Holds may be over. */
export interface OrderFacts {
  holds: OrderHold[];
  redemptions: OrderRedemption[];
  reversals: OrderReversal[];
}

const coupon = `'batch', f.batch, 'shard', f.shard, 'serial', f.serial,
  'userId', c.user_id, 'issuedAtMs', c.issued_at_ms`;

const listOf = (table: string, members: string, order: string) => `
  (SELECT coalesce(json_agg(json_build_object(${coupon}, ${members}) ORDER BY ${order}, f.batch, f.shard, f.serial), '[]')
    FROM ledger.${table} f
    JOIN ledger.coupon c ON c.batch = f.batch AND c.shard = f.shard AND c.serial = f.serial
    WHERE f.order_id = $2 AND f.caller_id = $1) AS ${table}s`;

const text = `SELECT
  ${listOf("hold", "'untilMs', f.until_ms, 'discount', f.discount", "f.locked_at_ms")},
  ${listOf(
    "redemption",
    `'redeemedAtMs', f.redeemed_at_ms,
      'discount', json_build_object('discount', f.discount, 'currency', f.currency, 'lines', f.lines)`,
    "f.redeemed_at_ms, f.number",
  )},
  ${listOf(
    "reversal",
    `'reversalId', f.reversal_id, 'reversedAtMs', f.reversed_at_ms, 'discountReversed', f.discount,
      'remaining', f.remaining, 'restored', f.restored`,
    "f.reversed_at_ms, f.number",
  )}`;

/** Everything on record of one caller's order, as of one moment; three empty lists where there is nothing. */
export async function readOrder(db: Queryable, callerId: string, orderId: string): Promise<OrderFacts> {
  const { rows } = await db.query<OrderFacts>({ name: "ledger-read-order", text, values: [callerId, orderId] });
  return rows[0] as OrderFacts;
}
