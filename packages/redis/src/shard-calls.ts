import type { Correction, CouponRecord, Discount, ImageCoupons, ShardImage, ShardRules } from "@coupon/domain";

export type { CouponRecord, ImageCoupons, RedemptionRecord, ReversalRecord, ShardImage } from "@coupon/domain";

/**
 * The calls that an owner makes on a shard's hot state. Each applies a whole micro-batch in one script
 * call, atomically: it checks the epoch and the entry that the owner expects, gives every request one
 * outcome, and writes at most one numbered entry into the shard's outbox. A mismatch changes nothing.
 */

export interface ShardAddress {
  batch: number;
  shard: number;
}

/** What a shard must be for its epoch to be set: its last entry by number and by hash. */
export type OpenFrom = Pick<ShardHeader, "epoch" | "number" | "hash">;

/** What the owner believes of the shard, and what it has learned to be durable since. */
export interface Expectation {
  epoch: number;
  /** Hash of the shard's last entry, "" before the first: a call goes on from that entry and no other. */
  hash: string;
  /** Entries up to this number are durable; the outbox is trimmed to what comes after. */
  durable: number;
  /** Offset in the partition of the entry numbered `durable`; -1 where there is none. */
  durableOffset: number;
}

export type Applied<Outcome> =
  | {
      kind: "applied";
      /** Number of the shard's last entry after the call. Every outcome rests on it. */
      number: number;
      /** The script's time. */
      atMs: number;
      outcomes: Outcome[];
      /** Text of the entry that was written; null where nothing changed. */
      entry: string | null;
      /** Hash of the shard's last entry after the call. */
      hash: string;
    }
  | {
      kind: "mismatch";
      /** What Redis has; null where it has no such shard. */
      found: { epoch: number; number: number } | null;
    };

export interface ClaimRequest {
  userId: string;
  callerId: string;
  /** Raw idempotency key. */
  key: string;
  via: "c" | "g";
  /** False where a verdict that travels with the claim (caller, quota, risk) forbids a new issue. */
  permitted: boolean;
}

export type ClaimOutcome =
  | { kind: "issued"; serial: number }
  | { kind: "replayed"; serial: number; issuedAtSeconds: number }
  | { kind: "not_permitted" }
  | { kind: "batch_not_started" | "batch_paused" | "batch_ended" | "batch_deactivated" }
  | { kind: "user_limit_reached" | "user_daily_limit_reached"; used: number; max: number }
  | { kind: "daily_stock_exhausted"; used: number; max: number }
  | { kind: "stock_exhausted"; used: number; max: number };

/** Boundaries of the days around now in the batch's time zone, ascending; the script picks. */
export type DayStarts = readonly number[];

/** Common to requests on one coupon. `order` = callerId + "/" + orderId. */
export interface CouponRequest {
  serial: number;
  userId: string;
  callerId: string;
  orderId: string;
  permitted: boolean;
}

/** What an order may take off, judged ahead by the front; binds only where nothing is on record. */
export type DiscountVerdict =
  | { kind: "discount"; discount: Discount }
  | { kind: "minimum_spend_not_met" | "nothing_to_discount" };

export interface LockRequest extends CouponRequest {
  payload: string;
  holdMs: number;
  validFromMs: number;
  validUntilMs: number;
  verdict: DiscountVerdict;
}

type CouponRefusal =
  | "coupon_not_found"
  | "idempotency_conflict"
  | "not_permitted"
  | "coupon_pending"
  | "coupon_expired"
  | "coupon_deactivated"
  | "coupon_locked"
  | "coupon_redeemed"
  | "hold_ended"
  | "order_released"
  | "minimum_spend_not_met"
  | "nothing_to_discount"
  | "reversal_exceeds_redemption"
  | "overloaded";

/** The record of a coupon that has left `effective` is not in Redis: load it (`warm`) and ask again. */
export type ColdOutcome = { kind: "cold" };
export type RefusedOutcome = { kind: "refused"; code: CouponRefusal };

export type LockOutcome =
  | { kind: "locked"; replayed: boolean; untilMs: number; discount: Discount }
  | ColdOutcome
  | RefusedOutcome;

export interface RedeemRequest extends CouponRequest {
  validFromMs: number;
  validUntilMs: number;
  /** With an order: lock and redeem in one step. Without: the order must hold the coupon. */
  order?: { payload: string; verdict: DiscountVerdict };
}

export type RedeemOutcome =
  | { kind: "redeemed"; replayed: boolean; redeemedAtMs: number; discount: Discount }
  | ColdOutcome
  | RefusedOutcome;

export interface ReleaseRequest extends CouponRequest {
  validFromMs: number;
  validUntilMs: number;
}
export type ReleaseOutcome =
  /** `used`: the order has redeemed the coupon, be it that it came back since. */
  | { kind: "released"; state: "effective" | "locked" | "redeemed" | "deactivated"; used?: true }
  | ColdOutcome
  | RefusedOutcome;

/** A reversal is computed by the owner from the record it read; `recordVersion` guards against a change since. */
export interface ReverseRequest extends CouponRequest {
  recordVersion: number;
  keyHash: string;
  payload: string;
  reversalId: string;
  reason: string;
  reversed: Discount;
  remaining: number;
  restored: boolean;
}
export type ReverseOutcome =
  | { kind: "reversed"; reversedAtMs: number }
  | { kind: "stale" }
  | ColdOutcome
  | RefusedOutcome;

export interface DeactivateRequest {
  serial: number;
  reason: string;
}
/** `again`: written before. `rebuild`: the shard is still to be built anew for it. */
export interface CorrectionOutcome {
  kind: "corrected";
  again: boolean;
  rebuild: boolean;
}

export type DeactivateOutcome =
  | { kind: "deactivated" }
  | { kind: "refused"; code: "coupon_not_found" | "coupon_redeemed" };

export interface ShardHeader {
  epoch: number;
  number: number;
  /** SHA-1 (hex) of the last entry's text; "" before the first. */
  hash: string;
  atMs: number;
  /** Serial that the next coupon gets, from 0: also how many were issued. */
  nextSerial: number;
  /** Stock left. Below 0, more is issued than the rules allot, and nothing is issued until that is filled. */
  left: number;
  durable: number;
  durableOffset: number;
  rules: ShardRules | null;
}

export interface ShardCalls {
  claim(
    at: ShardAddress,
    expect: Expectation,
    days: DayStarts,
    requests: ClaimRequest[],
  ): Promise<Applied<ClaimOutcome>>;
  lock(at: ShardAddress, expect: Expectation, requests: LockRequest[]): Promise<Applied<LockOutcome>>;
  redeem(at: ShardAddress, expect: Expectation, requests: RedeemRequest[]): Promise<Applied<RedeemOutcome>>;
  release(at: ShardAddress, expect: Expectation, requests: ReleaseRequest[]): Promise<Applied<ReleaseOutcome>>;
  reverse(at: ShardAddress, expect: Expectation, requests: ReverseRequest[]): Promise<Applied<ReverseOutcome>>;
  deactivate(at: ShardAddress, expect: Expectation, requests: DeactivateRequest[]): Promise<Applied<DeactivateOutcome>>;
  /** Puts rules in force. `shortBy` is the stock that could not be taken back because it is issued already. */
  changeRules(at: ShardAddress, expect: Expectation, rules: ShardRules): Promise<Applied<{ shortBy: number }>>;
  /**
   * Takes up to `amount` of the stock that is left for `target`; 0 where there is none. While `target` has not been
   * credited with the last transfer to it (`credited` is the last that it has), that one is given again instead.
   * `issued` is how many coupons this shard has issued.
   */
  debit(
    at: ShardAddress,
    expect: Expectation,
    ask: { target: number; amount: number; credited: number },
  ): Promise<Applied<{ amount: number; transfer: number; issued: number }>>;
  /** Adds a transfer once; a transfer that was credited already changes nothing. Throws where one is skipped. */
  credit(
    at: ShardAddress,
    expect: Expectation,
    source: number,
    amount: number,
    transfer: number,
  ): Promise<Applied<{ credited: boolean }>>;
  /** Writes an approved correction as an entry, once, and nothing else. */
  correct(at: ShardAddress, expect: Expectation, correction: Correction): Promise<Applied<CorrectionOutcome>>;

  /**
   * Reads records without changing anything. `version` guards a reversal. Null where the record is cold; a coupon
   * with nothing on record answers version 0, `effective`, and an empty userId. A hold is given as recorded, also
   * when it is over.
   */
  readRecords(at: ShardAddress, serials: number[]): Promise<({ version: number; record: CouponRecord } | null)[]>;
  /** Puts back records that had gone cold; leaves a record alone that is there, or that Redis knows to be outdated. */
  warm(
    at: ShardAddress,
    expect: Expectation,
    records: { serial: number; record: CouponRecord }[],
  ): Promise<Applied<null>>;

  /** Last transfer that the shard was credited with, by source. */
  readCredits(at: ShardAddress): Promise<Map<number, number>>;
  readHeaders(at: ShardAddress[]): Promise<(ShardHeader | null)[]>;
  /** Entries above `durable`, oldest first, as texts. */
  readOutbox(at: ShardAddress): Promise<string[]>;
  /**
   * Compare-and-set of the epoch: `from` null creates an empty shard with number 0. `hash` is that of the shard's last
   * entry, "" before the first. False where it is not as expected.
   */
  open(at: ShardAddress, from: OpenFrom | null, epoch: number): Promise<boolean>;
  /**
   * Applies an entry of the log, which lies at `offset`, to a shard that is behind by exactly one and whose epoch is
   * `epoch`. False where it is not, or where `prev` is not the hash of its last entry.
   */
  redo(at: ShardAddress, epoch: number, entryText: string, offset: number): Promise<boolean>;
  /** Removes every key of the shard. A shard that is half removed or half loaded is no shard to any other call. */
  drop(at: ShardAddress): Promise<void>;
  /**
   * Drops the shard and builds it anew from PostgreSQL, piece by piece; the header comes last and makes it valid.
   * Coupons come in ascending order of their serials, all of them. `pace` is waited for between pieces of a few
   * milliseconds; by default they only yield the event loop.
   */
  load(
    at: ShardAddress,
    image: ShardImage,
    coupons: AsyncIterable<ImageCoupons>,
    epoch: number,
    pace?: () => Promise<void>,
  ): Promise<void>;
}
