import type { BatchDefinition, EntryKind, Marker, Order } from "@coupon/domain";
import type { BookRows, HotRow, LedgerRows } from "./ledger/ledger-rows.ts";

/**
 * A history: what callers asked and were told, what the log holds and what PostgreSQL holds, of one
 * platform from its first message on, taken when nothing is under way any more and the ledger has applied
 * the whole log. `checkHistory` decides the promises by it.
 *
 * Times that callers saw are of one clock for all of them, and only ever compared with one another; the
 * log has its own order and its own time, the scripts'.
 */
export interface History {
  batches: readonly BatchTerms[];
  /** Number of partitions of the entries topic. */
  partitions: number;
  /** Read once, in any order. */
  operations: Iterable<Operation>;
  /** Every message of the entries topic; of each partition all of them, in order of offset. Read once. */
  log: Iterable<LogEntry>;
  /** Null where the ledger takes no part: nothing is said of it then. */
  ledger: LedgerRows | null;
  /** The ledger's books; without them nothing is said of postings. */
  books?: BookRows;
  /**
   * Every shard that Redis has, once whatever was under way is in the log; without them nothing is said of Redis.
   */
  hot?: readonly HotRow[];
  /**
   * Hash of an idempotency key as entries carry it (`keyHashOf` of `@coupon/redis` under the run's hash
   * key). Without it a coupon is joined to its claim by its id alone, and phantoms are told by counts.
   */
  keyHash?: KeyHash;
  /** Without it, refusals that speak of the scripts' time are believed. */
  clock?: ScriptsClock;
}

/**
 * How the scripts' clock stands to the callers': it is `originMs` + theirs, give or take `toleranceMs`, which covers
 * whatever it was stepped by.
 */
export interface ScriptsClock {
  originMs: number;
  toleranceMs: number;
}

/** `via`: "c" for a claim, "g" for a grant, "r/" + order for a reversal. */
export type KeyHash = (callerId: string, via: string, key: string) => string;

/** A batch as campaigns published it, version by version, oldest first. */
export interface BatchTerms {
  versions: readonly BatchVersion[];
}

export interface BatchVersion {
  definition: BatchDefinition;
  /** When its publication began: no shard can have had it earlier. -Infinity for what was there from the start. */
  publishedAtMs: number;
  /** When it was known to be in force on every shard; null where that was not looked at. */
  inForceAtMs: number | null;
}

/** One request as its client saw it; every attempt of a retry is an operation of its own. */
export interface OperationBase {
  /** Unique in the history. */
  id: number;
  callerId: string;
  /** Who sent it, for the reader of a finding. */
  client: string;
  calledAtMs: number;
  /** Null where no answer came. */
  returnedAtMs: number | null;
  /** Null where no answer came, or one that could not be read whole. */
  answer: Answer | null;
}

export interface Answer {
  status: number;
  body: AnswerBody;
  /** `Log-Position`, read; empty where there is none. */
  positions: readonly Position[];
  /** Whether it was marked as `Idempotent-Replayed`. */
  replayed?: boolean;
}

/** What the checker looks for in the bodies of answers, of every kind. Nobody has checked them: any of it may be missing. */
export interface AnswerBody {
  /** Of a problem. */
  code?: string;
  outcome?: string;
  /** Of a claim, or of a coupon that was read. */
  couponId?: string;
  userId?: string;
  /** Of grants, in their order. */
  outcomes?: GrantAnswer[];
  /** Of a listing. */
  items?: CouponShown[];
  /** Of an order's change. */
  coupons?: CouponAnswer[];
  lockedUntil?: string;
  redeemedAt?: string;
  reversalId?: string;
  discountReversed?: number;
  remaining?: number;
}

/** A coupon as an answer shows it. */
export type CouponShown = Pick<AnswerBody, "couponId" | "userId">;

/** What an answer says of one grant. */
export interface GrantAnswer {
  outcome?: string;
  coupon?: CouponShown;
  problem?: Pick<AnswerBody, "code" | "outcome">;
}

/** What an answer says of one of an order's coupons. */
export interface CouponAnswer {
  couponId: string;
  discount?: number;
  lines?: { lineId: string; discount: number }[];
  state?: string;
}

export type Ask = { all: true } | { lines: { lineId: string; quantity: number }[] };

export type Operation = OperationBase &
  (
    | { op: "claim"; request: { batchId: string; userId: string; idempotencyKey: string } }
    | { op: "grant"; request: { batchId: string; grants: { userId: string; idempotencyKey: string }[] } }
    | {
        op: "lock";
        request: { orderId: string; userId: string; couponIds: string[]; order: Order; holdSeconds: number };
      }
    | { op: "redeem"; request: { orderId: string; userId: string; couponIds: string[]; order?: Order } }
    | { op: "release"; request: { orderId: string; userId: string; couponIds: string[] } }
    | {
        op: "reverse";
        request: {
          orderId: string;
          idempotencyKey: string;
          ask: Ask;
          couponIds?: string[];
          restoreCoupon?: boolean;
          reason: string;
        };
      }
    /** An operator's: `callerId` is "" then. */
    | { op: "deactivate"; request: { couponId: string; reason: string } }
    /** `readAfter`: the positions that its `Read-After` named. */
    | { op: "readCoupon"; request: { couponId: string; userId: string; readAfter?: Position[] } }
    | { op: "readOrder"; request: { orderId: string; readAfter?: Position[] } }
    | { op: "listCoupons"; request: { userId: string; batchId?: string; readAfter?: Position[] } }
  );

export type OperationName = Operation["op"];

export interface Position {
  partition: number;
  offset: number;
}

/** A message of the entries topic, as `LogMessage` of `@coupon/events` reads it, with its partition. */
export interface LogEntry {
  partition: number;
  offset: number;
  epoch: number | null;
  marker: Marker | null;
  batch: number;
  shard: number;
  number: number;
  kind: EntryKind;
  text: string;
}

/** Names of the promises, as `docs/history-checker.md` explains them. */
export type PromiseName =
  | "oversell"
  | "undersell"
  | "one_outcome"
  | "unjust_refusal"
  | "lost"
  | "answered_early"
  | "phantom"
  | "duplicate"
  | "redeemed_twice"
  | "hold_shared"
  | "not_owned"
  | "money"
  | "rules_broken"
  | "stock_moved"
  | "log_broken"
  | "ledger_differs"
  | "redis_differs"
  | "stale";

/** A promise that does not hold, and what shows it. */
export interface Finding {
  promise: PromiseName;
  detail: string;
  /** Ids of operations, at most a few. */
  operations: number[];
  entries: Place[];
}

/** Where an entry is: its shard and number, and its place in the log. */
export interface Place {
  batch: number;
  shard: number;
  number: number;
  partition: number;
  offset: number;
}
