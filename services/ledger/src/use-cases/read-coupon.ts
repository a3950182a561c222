import { findCoupon } from "@coupon/database";
import type { LedgerResources } from "../resources.ts";
import { type Reader, readVerdict, sees } from "../stores/batches.ts";
import { found, type Outcome, refused } from "./outcome.ts";
import { issuedAtSecondsOf, showCoupon, stateOf } from "./show-coupon.ts";

/**
 * One coupon of a user. A forged id, another user's coupon, one of a batch that the reader does not know, and
 * one that was never issued are the same `coupon_not_found`.
 */
export async function readCoupon(
  { pool, batches, codec, now }: LedgerResources,
  reader: Reader,
  { couponId, userId }: { couponId: string; userId: string },
): Promise<Outcome> {
  const parts = codec.verify(couponId, userId);
  const definition = parts === null ? undefined : batches.byNumber(parts.batchNumber);
  if (parts === null || definition === undefined || !sees(definition, reader)) return refused("coupon_not_found");
  const { batchNumber: batch, shard, serial } = parts;
  const coupon = await findCoupon(pool, { batch, shard, serial });
  if (coupon === null || coupon.userId !== userId || issuedAtSecondsOf(coupon) !== parts.issuedAtSeconds) {
    return refused("coupon_not_found");
  }
  const verdict = readVerdict(reader, [definition]);
  if (verdict !== null) return refused(verdict);
  return found(showCoupon(codec, definition, coupon, stateOf(definition, coupon, now())));
}
