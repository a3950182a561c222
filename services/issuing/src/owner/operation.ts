import type { Correction } from "@coupon/domain";
import type {
  ClaimOutcome,
  ClaimRequest,
  CorrectionOutcome,
  LockOutcome,
  LockRequest,
  RedeemOutcome,
  RedeemRequest,
  ReleaseOutcome,
  ReleaseRequest,
} from "@coupon/redis";
import type { DeactivateAsk, DeactivationOutcome } from "./deactivation.ts";
import type { ReversalAsk, ReversalOutcome } from "./reversal.ts";

/** A shard's wish for stock; `credited` is the last transfer from this source that it has. */
export interface DebitAsk {
  target: number;
  amount: number;
  credited: number;
  /** Where this shard has none either, it is to fetch what is still on its way to it. */
  fetch?: boolean;
}

/** What a front asks of the owner of a shard. Plain JSON, for it may travel to another process. */
export type Operation =
  | { op: "claim"; batch: number; shard: number; request: ClaimRequest }
  | { op: "lock"; batch: number; shard: number; request: LockRequest }
  | { op: "redeem"; batch: number; shard: number; request: RedeemRequest }
  | { op: "release"; batch: number; shard: number; request: ReleaseRequest }
  | { op: "reverse"; batch: number; shard: number; request: ReversalAsk }
  | { op: "deactivate"; batch: number; shard: number; request: DeactivateAsk }
  | { op: "debit"; batch: number; shard: number; request: DebitAsk }
  | { op: "correct"; batch: number; shard: number; request: Correction };

export type OperationName = Operation["op"];

export interface OutcomeOf {
  /** A replay with `first` answers the request that issued the coupon, across an opening. */
  claim: (ClaimOutcome & { first?: true }) | { kind: "stock_in_transfer" };
  lock: LockOutcome;
  redeem: RedeemOutcome;
  release: ReleaseOutcome;
  reverse: ReversalOutcome;
  deactivate: DeactivationOutcome;
  debit: { amount: number; transfer: number; issued: number };
  correct: CorrectionOutcome;
}

/** Why an owner gave no outcome. After `unknown` the operation may have happened or not. */
export type NoOutcome =
  /** `attempted`: it may have been applied all the same. */
  | { kind: "not_owner"; attempted?: boolean }
  | { kind: "recovering" }
  | { kind: "overloaded" }
  | { kind: "ledger_behind"; retryAfterSeconds?: number }
  | { kind: "ledger_unavailable" }
  /** A bug: logged here, `internal_error` to the caller. */
  | { kind: "failed" }
  | { kind: "unknown"; because: "log_unavailable" | "deadline_exceeded" };

/** The entry's place in the log that an outcome rests on. */
export interface LogPlace {
  partition: number;
  offset: number;
}

export interface Done<Name extends OperationName = OperationName> {
  kind: "done";
  outcome: OutcomeOf[Name];
  /** The script's time. */
  atMs: number;
  place: LogPlace;
}

export type Answer<Name extends OperationName = OperationName> = Done<Name> | NoOutcome;
