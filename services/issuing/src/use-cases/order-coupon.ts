import {
  type CouponIdCodec,
  type CouponIdParts,
  couponWindow,
  decodeCouponId,
  type Entitlement,
  type RefusalCode,
} from "@coupon/domain";
import type { Batches, KnownBatch } from "../front/batches.ts";
import type { CallerKey } from "../front/callers.ts";
import { callerVerdict, seesBatch } from "../front/verdict.ts";

/** A coupon that a request names, where it is, and when it is valid: all from its id and its batch. */
export interface NamedCoupon {
  couponId: string;
  batch: KnownBatch;
  shard: number;
  serial: number;
  issuedAtSeconds: number;
  validFromMs: number;
  validUntilMs: number;
  /** Why the caller may not do this; null where it may. */
  verdict: RefusalCode | null;
}

/**
 * Finds the coupon of an order request. Null (`coupon_not_found`) for a forged id, another user's coupon,
 * and a batch that the caller has nothing to do with, all alike.
 */
export function nameCoupon(
  { batches, codec }: { batches: Batches; codec: CouponIdCodec },
  key: CallerKey,
  userId: string,
  couponId: string,
  operation: Entitlement,
): NamedCoupon | null {
  return placeCoupon(batches, codec.verify(couponId, userId), key, couponId, operation);
}

/** As `nameCoupon` for an id that is proven later, by the owner, against the user on record. */
export function nameUnprovenCoupon(
  batches: Batches,
  key: CallerKey,
  couponId: string,
  operation: Entitlement,
): NamedCoupon | null {
  return placeCoupon(batches, decodeCouponId(couponId), key, couponId, operation);
}

function placeCoupon(
  batches: Batches,
  parts: CouponIdParts | null,
  key: CallerKey,
  couponId: string,
  operation: Entitlement,
): NamedCoupon | null {
  if (parts === null) return null;
  const batch = batches.byNumber(parts.batchNumber);
  if (batch === undefined || !seesBatch(batch, key) || parts.shard >= batch.definition.shards) return null;
  const { shard, serial, issuedAtSeconds } = parts;
  const window = couponWindow(batch.definition.template, issuedAtSeconds);
  const verdict = callerVerdict(batch, key, operation);
  return { couponId: couponId.toUpperCase(), batch, shard, serial, issuedAtSeconds, ...window, verdict };
}
