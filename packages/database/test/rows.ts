import { type Discount, NO_TOTALS, type ShardRules } from "@coupon/domain";
import {
  CouponCopy,
  createPool,
  type FactRows,
  type LedgerWrite,
  noPostings,
  type Pool,
  type ShardAdvance,
} from "../src/index.ts";

/** Rows for tests, with everything that a test does not care for filled in. */

export const rulesOf = (overrides: Partial<ShardRules> = {}): ShardRules => ({
  version: 1,
  state: "issuing",
  revoked: false,
  fromMs: 0,
  untilMs: 4_000_000_000_000,
  allotment: 100,
  perDay: null,
  perUser: 1,
  perUserPerDay: null,
  buckets: 16,
  ...overrides,
});

export const shardOf = (overrides: Partial<ShardAdvance> = {}): ShardAdvance => ({
  batch: 7,
  shard: 0,
  partition: 3,
  number: 1,
  hash: "ab".repeat(20),
  atMs: 1_800_000_000_000,
  issued: 0,
  day: null,
  ...NO_TOTALS,
  rules: null,
  ...overrides,
});

export const factsOf = (overrides: Partial<FactRows> = {}): FactRows => ({
  states: [],
  holds: [],
  holdsEnded: [],
  redemptions: [],
  reversals: [],
  releases: [],
  deactivations: [],
  rules: [],
  transfers: [],
  corrections: [],
  ...overrides,
});

export interface TestCoupon {
  serial: number;
  userId: string;
  atMs: number;
  batch?: number;
  shard?: number;
  keyHash?: string;
}

export function couponsOf(coupons: TestCoupon[]): CouponCopy {
  const copy = new CouponCopy();
  for (const coupon of coupons) {
    copy.add(coupon.batch ?? 7, coupon.shard ?? 0, coupon.atMs, [
      coupon.serial,
      coupon.userId,
      "shop",
      coupon.keyHash ?? "00000000000000ff",
      "c",
    ]);
  }
  return copy;
}

/** A write of partition 3 from `from` to `from + 1`. */
export const writeOf = (from: number, overrides: Partial<LedgerWrite> = {}): LedgerWrite => ({
  positions: [{ partition: 3, from, to: from + 1, epoch: 0 }],
  shards: [],
  coupons: new CouponCopy(),
  facts: factsOf(),
  postings: noPostings,
  ...overrides,
});

export const discountOf = (discount: number): Discount => ({
  discount,
  currency: "CNY",
  lines: [{ lineId: "1", quantity: 1, discount }],
});

export const testPool = (databaseUrl: string, max = 4): Pool =>
  createPool({ databaseUrl, max, statementTimeoutMs: 10_000, connectionTimeoutMs: 5_000 });
