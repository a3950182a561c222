import type { ShardRules } from "./entry.ts";
import type { Discount } from "./model.ts";

/** Everything that a coupon has on record. `order` = callerId + "/" + orderId. */
export interface CouponRecord {
  userId: string;
  state: "effective" | "locked" | "redeemed" | "deactivated";
  hold?: { order: string; payload: string; untilMs: number; discount: Discount };
  redemptions: RedemptionRecord[];
  /** Orders that released the coupon, with the time until which they may not lock it again. */
  released: { order: string; untilMs: number }[];
}

/** A redemption on record, with what has been reversed of it. */
export interface RedemptionRecord {
  order: string;
  payload: string;
  redeemedAtMs: number;
  discount: Discount;
  reversals: ReversalRecord[];
}

export interface ReversalRecord {
  keyHash: string;
  payload: string;
  reversalId: string;
  reversedAtMs: number;
  reversed: Discount;
  remaining: number;
  restored: boolean;
}

/** What PostgreSQL knows of a shard at one entry number, from which the hot state is built anew. */
export interface ShardImage {
  number: number;
  /** SHA-1 of that entry's text, hex. */
  hash: string;
  atMs: number;
  /** Serial that the next coupon gets, from 0: also how many were issued. */
  nextSerial: number;
  /** Stock that the shard may still issue; below 0 where more is issued than its rules allot by now. */
  left: number;
  /** Start of the day in which the last issues counted, and how many counted in it; 0 before the first issue. */
  dayStartMs: number;
  dayIssued: number;
  rules: ShardRules;
  /** The last transfer to each target, and its amount. */
  debits: { target: number; transfer: number; amount: number }[];
  /** The last transfer from each source. */
  credits: { source: number; transfer: number }[];
  /** Ids of the last corrections, up to 16, the latest last. */
  corrections: string[];
}

/** What two bits say of a coupon: nothing on record, something on record, redeemed, deactivated. */
export const touchedBits = { no: 0, on_record: 1, redeemed: 2, deactivated: 3 } as const;

/** Coupons with consecutive serials, column by column: a rebuild handles millions, and an object each would cost more. */
export interface ImageCoupons {
  /** Serial of the first. */
  first: number;
  count: number;
  /** Their user ids in UTF-8, each ended by a line feed, which no id holds: as bytes they are hashed without a text made. */
  users: Uint8Array;
  /** 8 bytes a coupon. */
  keyHashes: Uint8Array;
  issuedAtSeconds: Uint32Array;
  /** One of {@link touchedBits} a coupon. */
  touched: Uint8Array;
}
