import type { Queryable } from "../pool.ts";
import type { CouponKey, StoredState } from "./rows.ts";

/** A coupon as the ledger has it. */
export interface StoredCoupon extends CouponKey {
  userId: string;
  issuedAtMs: number;
  state: StoredState;
  /** Deadline of its hold, also when that is over; null where it has none. */
  heldUntilMs: number | null;
}

/** Where a listing by descending time of issue stands: after this coupon. */
export interface NewestFirst extends CouponKey {
  issuedAtMs: number;
}

const columns = `c.batch, c.shard, c.serial, c.user_id AS "userId", c.issued_at_ms AS "issuedAtMs", c.state,
  (SELECT h.until_ms FROM ledger.hold h
    WHERE c.state = 2 AND h.batch = c.batch AND h.shard = c.shard AND h.serial = c.serial) AS "heldUntilMs"`;

/** The coupon; null where the ledger does not have it. */
export async function findCoupon(db: Queryable, key: CouponKey): Promise<StoredCoupon | null> {
  const { rows } = await db.query<StoredCoupon>({
    name: "ledger-find-coupon",
    text: `SELECT ${columns} FROM ledger.coupon c WHERE c.batch = $1 AND c.shard = $2 AND c.serial = $3`,
    values: [key.batch, key.shard, key.serial],
  });
  return rows[0] ?? null;
}

// "+ 0" keeps the planner from reading all coupons of the batches in the primary key: the user's are few.
/**
 * A user's coupons of these batches, by descending time of issue, batch, shard and serial, those that come
 * `after` one of them.
 *
 * @param limit rows at most
 */
export async function listCoupons(
  db: Queryable,
  { userId, batches, after, limit }: { userId: string; batches: number[]; after: NewestFirst | null; limit: number },
): Promise<StoredCoupon[]> {
  const { rows } = await db.query<StoredCoupon>({
    name: "ledger-list-coupons",
    text: `SELECT ${columns} FROM ledger.coupon c
      WHERE c.user_id = $1 AND c.batch + 0 = ANY ($2::integer[])
        AND (c.issued_at_ms, c.batch, c.shard, c.serial) < ($3::bigint, $4::integer, $5::smallint, $6::integer)
      ORDER BY c.issued_at_ms DESC, c.batch DESC, c.shard DESC, c.serial DESC LIMIT $7`,
    values: [
      userId,
      batches,
      after?.issuedAtMs ?? Number.MAX_SAFE_INTEGER,
      after?.batch ?? 0,
      after?.shard ?? 0,
      after?.serial ?? 0,
      limit,
    ],
  });
  return rows;
}
