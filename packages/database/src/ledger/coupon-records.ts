import type { CouponRecord, RedemptionRecord, ReversalRecord } from "@coupon/domain";
import type { Queryable } from "../pool.ts";
import { couponStates, type StoredState } from "./rows.ts";

export interface CouponRecords {
  /** Number of the shard's last entry that the records rest on; 0 where the ledger has none of it. */
  number: number;
  /** By serial; a serial that the ledger does not have is left out. */
  records: Map<number, CouponRecord>;
}

/** For a day after its release an order may not lock the coupon again. */
const RELEASED_MS = 86_400_000;

interface Row {
  number: number;
  serial: number | null;
  user_id: string;
  state: StoredState;
  hold: Required<CouponRecord>["hold"] | null;
  redemptions: Omit<RedemptionRecord, "reversals">[];
  reversals: (ReversalRecord & { order: string })[];
  released: CouponRecord["released"];
}

const text = `
SELECT s.number, c.serial, c.user_id, c.state,
  (SELECT json_build_object('order', h.caller_id || '/' || h.order_id, 'payload', h.payload,
      'untilMs', h.until_ms, 'discount', h.discount)
    FROM ledger.hold h WHERE h.batch = c.batch AND h.shard = c.shard AND h.serial = c.serial) AS hold,
  (SELECT coalesce(json_agg(json_build_object('order', r.caller_id || '/' || r.order_id, 'payload', r.payload,
      'redeemedAtMs', r.redeemed_at_ms,
      'discount', json_build_object('discount', r.discount, 'currency', r.currency, 'lines', r.lines))
      ORDER BY r.number), '[]')
    FROM ledger.redemption r WHERE r.batch = c.batch AND r.shard = c.shard AND r.serial = c.serial) AS redemptions,
  (SELECT coalesce(json_agg(json_build_object('order', r.caller_id || '/' || r.order_id, 'keyHash', r.key_hash,
      'payload', r.payload, 'reversalId', r.reversal_id, 'reversedAtMs', r.reversed_at_ms,
      'reversed', json_build_object('discount', r.discount, 'currency', r.currency, 'lines', r.lines),
      'remaining', r.remaining, 'restored', r.restored) ORDER BY r.number), '[]')
    FROM ledger.reversal r WHERE r.batch = c.batch AND r.shard = c.shard AND r.serial = c.serial) AS reversals,
  (SELECT coalesce(json_agg(json_build_object('order', q."order", 'untilMs', q.until_ms) ORDER BY q.until_ms), '[]')
    FROM (SELECT r.caller_id || '/' || r.order_id AS "order", max(r.released_at_ms) + ${RELEASED_MS} AS until_ms
      FROM ledger.release r
      WHERE r.batch = c.batch AND r.shard = c.shard AND r.serial = c.serial
        AND r.released_at_ms > s.at_ms - ${RELEASED_MS}
      GROUP BY 1) q) AS released
FROM ledger.shard s
LEFT JOIN ledger.coupon c ON c.batch = s.batch AND c.shard = s.shard AND c.serial = ANY ($3::integer[])
WHERE s.batch = $1 AND s.shard = $2`;

/**
 * Records of coupons of one shard, all as of one entry, whose number comes with them: who puts them into
 * hot state must know of nothing later about these coupons.
 *
 * @param serials at most a few thousand
 */
export async function readCouponRecords(
  db: Queryable,
  batch: number,
  shard: number,
  serials: number[],
): Promise<CouponRecords> {
  const { rows } = await db.query<Row>({ name: "ledger-coupon-records", text, values: [batch, shard, serials] });
  const records = new Map<number, CouponRecord>();
  for (const row of rows) if (row.serial !== null) records.set(row.serial, toRecord(row));
  return { number: rows[0]?.number ?? 0, records };
}

function toRecord(row: Row): CouponRecord {
  return {
    userId: row.user_id,
    state: stateOf[row.state],
    ...(row.hold === null ? {} : { hold: row.hold }),
    redemptions: row.redemptions.map((redemption) => ({
      ...redemption,
      reversals: row.reversals.filter((each) => each.order === redemption.order).map(withoutOrder),
    })),
    released: row.released,
  };
}

function withoutOrder({ order: _, ...reversal }: ReversalRecord & { order: string }): ReversalRecord {
  return reversal;
}

const stateOf = {
  [couponStates.untouched]: "effective",
  [couponStates.effective]: "effective",
  [couponStates.locked]: "locked",
  [couponStates.redeemed]: "redeemed",
  [couponStates.deactivated]: "deactivated",
} as const satisfies Record<StoredState, CouponRecord["state"]>;
