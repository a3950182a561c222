import { type ImageCoupons, touchedBits } from "@coupon/domain";

/** One coupon as a test writes it. */
export interface ImageCoupon {
  serial: number;
  userId: string;
  /** 16 hex digits. */
  keyHash: string;
  issuedAtSeconds: number;
  touched: keyof typeof touchedBits;
}

export function toChunk(coupons: ImageCoupon[]): ImageCoupons {
  return {
    first: coupons[0]?.serial ?? 0,
    userIds: coupons.map(({ userId }) => userId),
    keyHashes: Buffer.from(coupons.map(({ keyHash }) => keyHash).join(""), "hex"),
    issuedAtSeconds: coupons.map(({ issuedAtSeconds }) => issuedAtSeconds),
    touched: Uint8Array.from(coupons, ({ touched }) => touchedBits[touched]),
  };
}
