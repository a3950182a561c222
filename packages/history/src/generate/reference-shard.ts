import type { Discount, ReverseItem, ShardRules } from "@coupon/domain";

export interface ReferenceCoupon {
  shard: ReferenceShard;
  serial: number;
  couponId: string;
  userId: string;
  callerId: string;
  keyHash: string;
  via: "c" | "g";
  issuedAtMs: number;
  /** What is on record; time is looked at when it is asked for. */
  state: "effective" | "locked" | "redeemed" | "deactivated";
  hold: { order: string; payload: string; untilMs: number; lockedAtMs: number; discount: Discount } | null;
  redemptions: Map<string, ReferenceRedemption>;
  released: Map<string, number>;
  touched: boolean;
}

export interface ReferenceRedemption {
  payload: string;
  atMs: number;
  discount: Discount;
  reversals: (ReverseItem & { atMs: number })[];
}

/** A shard of the reference platform: the state that a real one keeps in Redis, kept plainly. */
export class ReferenceShard {
  readonly address: { batch: number; shard: number };
  readonly partition: number;
  number = 0;
  hash = "";
  atMs = 0;
  durableOffset = -1;
  rules: ShardRules | null = null;
  left = 0;
  dayStartMs = 0;
  dayIssued = 0;
  readonly coupons: ReferenceCoupon[] = [];
  /** By user. */
  readonly users = new Map<string, ReferenceCoupon[]>();
  /** Last transfer to and from another shard. */
  readonly debits = new Map<number, number>();
  readonly credits = new Map<number, number>();

  constructor(address: { batch: number; shard: number }, partition: number) {
    this.address = address;
    this.partition = partition;
  }
}

/** The hold that is in time; null where there is none. */
export function liveHold(coupon: ReferenceCoupon, atMs: number): ReferenceCoupon["hold"] {
  return coupon.state === "locked" && coupon.hold !== null && coupon.hold.untilMs > atMs ? coupon.hold : null;
}
