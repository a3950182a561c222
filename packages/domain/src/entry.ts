import type { BatchState, Discount } from "./model.ts";

/**
 * An entry is one atomic step of a shard, numbered densely from 1, and one message of the entries
 * topic. Its value is JSON text made inside Redis and never rewritten; the epoch under which it was
 * written travels in the message header `epoch`, so that an entry sent again under a new epoch keeps
 * its bytes. `prev` is the SHA-1 (hex) of the text of the shard's entry before it, "" for the first.
 */
export interface EntryBase {
  v: 1;
  /** Batch number. */
  batch: number;
  /** Index of the shard in its batch, from 0. */
  shard: number;
  number: number;
  /** The script's time in milliseconds since the Unix epoch; never decreases in a shard. */
  at: number;
  prev: string;
}

/** `[serial, userId, callerId, key hash (16 hex digits), "c" for a claim or "g" for a grant]` */
export type IssueItem = [serial: number, userId: string, callerId: string, keyHash: string, via: "c" | "g"];

export interface LockItem {
  serial: number;
  userId: string;
  callerId: string;
  orderId: string;
  /** Hash of the order as locked (16 hex digits): a repeat with another order is a conflict. */
  payload: string;
  untilMs: number;
  discount: Discount;
}

export interface RedeemItem {
  serial: number;
  userId: string;
  callerId: string;
  orderId: string;
  /** Hash of the order, "" where neither the lock nor the redemption carried one. */
  payload: string;
  discount: Discount;
}

export interface ReleaseItem {
  serial: number;
  userId: string;
  callerId: string;
  orderId: string;
  /** Whether a hold was given back; false records only that this order may not lock it for a day. */
  held: boolean;
}

export interface ReverseItem {
  serial: number;
  userId: string;
  callerId: string;
  orderId: string;
  reversalId: string;
  keyHash: string;
  /** Hash of what was asked (lines or all): a repeat with another payload is a conflict. */
  payload: string;
  reason: string;
  /** What this reversal takes back of the discount, line by line. */
  reversed: Discount;
  /** Discount of the redemption that is left after this reversal. */
  remaining: number;
  /** Whether the coupon comes back with it. */
  restored: boolean;
}

export interface DeactivateItem {
  serial: number;
  reason: string;
}

/** A store that is derived from the log: hot state, or the ledger's tables. */
export type DerivedStore = "redis" | "postgresql";

/**
 * An approved correction. It changes no fact: the log is the truth, and what was derived from it is derived anew
 * for these coupons, or for the shard's counters and books where it names none.
 */
export interface Correction {
  correctionId: string;
  /** What is derived anew: all of the shard's hot state, or these coupons' rows and the shard's counters, or these and its books. */
  stores: DerivedStore[];
  serials: number[];
  reason: string;
  proposedBy: string;
  approvedBy: string;
}

/** The rules in force in a shard from this entry on. Amounts of stock are the shard's own part. */
export interface ShardRules {
  version: number;
  state: BatchState;
  revoked: boolean;
  fromMs: number;
  untilMs: number;
  /** The shard's part of the batch's stock. */
  allotment: number;
  /** The shard's part of the day's stock; null where days are not limited. */
  perDay: number | null;
  perUser: number;
  perUserPerDay: number | null;
  /** Number of user buckets; fixed by the shard's first rules entry. */
  buckets: number;
}

export type Entry = EntryBase &
  /** `day`: start of the day (ms) in which the issues count, so that redo needs no time zone. */
  (
    | { kind: "issue"; day: number; items: IssueItem[] }
    | { kind: "lock"; items: LockItem[] }
    | { kind: "redeem"; items: RedeemItem[] }
    | { kind: "release"; items: ReleaseItem[] }
    | { kind: "reverse"; items: ReverseItem[] }
    | { kind: "deactivate"; items: DeactivateItem[] }
    | { kind: "rules"; rules: ShardRules }
    | { kind: "debit"; target: number; amount: number; transfer: number }
    | { kind: "credit"; source: number; amount: number; transfer: number }
    | { kind: "correct"; correction: Correction }
  );

export type EntryKind = Entry["kind"];

/** An owner's first message in a partition; its offset is the epoch of all that it writes. */
export interface Marker {
  v: 1;
  kind: "marker";
  owner: string;
  at: number;
}
