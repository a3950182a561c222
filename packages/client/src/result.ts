import type { Open } from "./types.ts";

/** Codes of refusals, each described in `docs/errors.md`; more may come. */
export type RefusalCode = Open<
  | "signature_missing"
  | "signature_invalid"
  | "signature_expired"
  | "key_unknown"
  | "key_revoked"
  | "token_invalid"
  | "identity_provider_unavailable"
  | "route_not_found"
  | "method_not_allowed"
  | "body_too_large"
  | "media_type_unsupported"
  | "request_invalid"
  | "idempotency_key_missing"
  | "cursor_invalid"
  | "precondition_required"
  | "role_missing"
  | "self_approval"
  | "batch_not_found"
  | "coupon_not_found"
  | "order_not_found"
  | "template_not_found"
  | "campaign_not_found"
  | "reconciliation_not_found"
  | "correction_not_found"
  | "precondition_failed"
  | "idempotency_conflict"
  | "caller_suspended"
  | "caller_not_live"
  | "operation_not_permitted"
  | "stopped"
  | "overloaded"
  | "caller_rate_exceeded"
  | "caller_quota_exhausted"
  | "state_conflict"
  | "budget_exceeded"
  | "stock_changed"
  | "batch_not_started"
  | "batch_paused"
  | "batch_ended"
  | "batch_deactivated"
  | "risk_rejected"
  | "challenge_required"
  | "risk_unavailable"
  | "shard_recovering"
  | "stock_in_transfer"
  | "user_limit_reached"
  | "user_daily_limit_reached"
  | "daily_stock_exhausted"
  | "stock_exhausted"
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
  | "log_unavailable"
  | "deadline_exceeded"
  | "ledger_behind"
  | "ledger_unavailable"
  | "read_after_timeout"
  | "internal_error"
>;

/** An expected no, as RFC 9457 problem details. */
export interface Refusal {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: RefusalCode;
  /** The same request may succeed later. */
  retryable: boolean;
  /** `unknown`: the change may have been made. */
  outcome: "none" | "unknown";
  retryAfterSeconds?: number;
  limit?: { name: string; scope: string; max: number; used: number; resetsAt?: string };
  errors?: { pointer: string; message: string }[];
  /** Comes with `challenge_required`. */
  challenge?: { url: string; token: string };
}

interface Answered {
  /** Of the last attempt; name it when reporting a problem. */
  requestId: string | undefined;
  /** How many times the request was sent. */
  attempts: number;
  /** Key of a claim or a reversal, given or made here. The same call with it tells the same outcome again. */
  idempotencyKey?: string;
}

export interface Success<Value> extends Answered {
  ok: true;
  value: Value;
  /** The change had been made before, under the same key or order. */
  replayed: boolean;
  /** Pass it to later reads, or use `session()`, which does. */
  logPosition: string | undefined;
  /** Version of an operators' resource, for `If-Match`. */
  etag: string | undefined;
}

/** Nothing was done. */
export interface Refused extends Answered {
  ok: false;
  outcome: "none";
  refusal: Refusal;
}

/**
 * Nobody can tell whether it was done: attempts and time are used up. Make the same call again, with the
 * same key or order, and its one outcome is told.
 */
export interface Unknown extends Answered {
  ok: false;
  outcome: "unknown";
  reason: "timed_out" | "network" | "bad_answer" | "refused";
  /** What the service said, where `reason` is `refused`. */
  refusal?: Refusal;
  /** What went wrong underneath, where the service said nothing. */
  cause?: unknown;
}

export type Result<Value> = Success<Value> | Refused | Unknown;

/** Thrown by helpers that have no room for a refusal, such as iterators over pages. */
export class CallFailed extends Error {
  override name = "CallFailed";
  readonly result: Refused | Unknown;

  constructor(result: Refused | Unknown) {
    super(
      result.refusal === undefined
        ? `no answer: ${result.outcome}`
        : `${result.refusal.code}: ${result.refusal.detail}`,
    );
    this.result = result;
  }
}

/** The value of a success. @throws {CallFailed} for anything else. */
export function expectValue<Value>(result: Result<Value>): Value {
  if (result.ok) return result.value;
  throw new CallFailed(result);
}
