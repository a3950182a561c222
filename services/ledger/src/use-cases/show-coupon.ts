import { couponStates, type StoredCoupon, type StoredState } from "@coupon/database";
import {
  type BatchDefinition,
  type CouponIdCodec,
  type CouponState,
  type CouponWindow,
  couponJson,
  couponStateAt,
  couponWindow,
  type StoredCouponState,
} from "@coupon/domain";

const storedNames = {
  [couponStates.untouched]: "effective",
  [couponStates.effective]: "effective",
  [couponStates.locked]: "locked",
  [couponStates.redeemed]: "redeemed",
  [couponStates.deactivated]: "deactivated",
} as const satisfies Record<StoredState, StoredCouponState>;

/** Seconds as the coupon id and everything derived from the time of issue have them. */
export function issuedAtSecondsOf({ issuedAtMs }: { issuedAtMs: number }): number {
  return Math.floor(issuedAtMs / 1_000);
}

export function windowOf(definition: BatchDefinition, coupon: { issuedAtMs: number }): CouponWindow {
  return couponWindow(definition.template, issuedAtSecondsOf(coupon));
}

/** The state to show at an instant: what is stored, the hold's deadline, the validity and a revoked batch. */
export function stateOf(definition: BatchDefinition, coupon: StoredCoupon, nowMs: number): CouponState {
  const standing = {
    stored: storedNames[coupon.state],
    lockedUntilMs: coupon.heldUntilMs ?? 0,
    revoked: definition.revoked,
  };
  return couponStateAt(standing, windowOf(definition, coupon), nowMs);
}

export interface Issued {
  shard: number;
  serial: number;
  userId: string;
  issuedAtMs: number;
}

export function couponIdOf(codec: CouponIdCodec, definition: BatchDefinition, coupon: Issued): string {
  const parts = {
    keyVersion: definition.couponKeyVersion,
    batchNumber: definition.batchNumber,
    shard: coupon.shard,
    serial: coupon.serial,
    issuedAtSeconds: issuedAtSecondsOf(coupon),
  };
  return codec.encode(parts, coupon.userId);
}

/** The coupon as API.md has it, as JSON text. */
export function showCoupon(
  codec: CouponIdCodec,
  definition: BatchDefinition,
  coupon: StoredCoupon,
  state: CouponState,
): string {
  const couponId = couponIdOf(codec, definition, coupon);
  return couponJson(definition, { couponId, userId: coupon.userId, state, issuedAtSeconds: issuedAtSecondsOf(coupon) });
}
