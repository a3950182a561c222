import type { Pool, Queryable } from "../pool.ts";
import { begin, rollback } from "../transaction.ts";
import type { CouponKey } from "./rows.ts";

/** A coupon that an order holds or has used, and until when that keeps the order from being given others. */
export interface StandingTie extends CouponKey {
  /** callerId + "/" + orderId. */
  order: string;
  untilMs: number;
}

const CHUNK = 5_000;

const select = (where: string): string => `
SELECT caller_id || '/' || order_id AS "order", batch, shard, serial, redeemed_at_ms + $2 AS "untilMs"
  FROM ledger.redemption WHERE redeemed_at_ms > $1::bigint - $2::bigint ${where}
UNION ALL
SELECT caller_id || '/' || order_id, batch, shard, serial, until_ms FROM ledger.hold WHERE until_ms > $1 ${where}`;

/** Ties of one order at `nowMs`; a redemption ties for `redeemedKeptMs`. */
export async function readTiesOfOrder(
  db: Queryable,
  callerId: string,
  orderId: string,
  nowMs: number,
  redeemedKeptMs: number,
): Promise<StandingTie[]> {
  const { rows } = await db.query<StandingTie>({
    name: "ledger-order-ties",
    text: select("AND order_id = $4 AND caller_id = $3"),
    values: [nowMs, redeemedKeptMs, callerId, orderId],
  });
  return rows;
}

/** As `readTiesOfOrder` for all orders, in chunks of one moment. Holds a connection while it is read. */
export async function* readTies(pool: Pool, nowMs: number, redeemedKeptMs: number): AsyncGenerator<StandingTie[]> {
  const connection = await begin(pool, "REPEATABLE READ, READ ONLY");
  try {
    await connection.query(`DECLARE ties NO SCROLL CURSOR FOR ${select("")}`, [nowMs, redeemedKeptMs]);
    for (;;) {
      const { rows } = await connection.query<StandingTie>(`FETCH ${CHUNK} FROM ties`);
      if (rows.length > 0) yield rows;
      if (rows.length < CHUNK) return;
    }
  } finally {
    await rollback(connection);
  }
}
