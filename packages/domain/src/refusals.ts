import type { FieldError } from "./field-error.ts";

/**
 * Every public refusal and error: its code, HTTP status, whether the same request may succeed later
 * without a change (`retryable`), and whether its outcome is known. The order of the list is the
 * order of precedence: where several apply, the first is answered.
 */

export interface RefusalRule {
  status: number;
  retryable: boolean;
  outcome: "none" | "unknown";
  title: string;
}

const no = (status: number, title: string): RefusalRule => ({ status, retryable: false, outcome: "none", title });
const later = (status: number, title: string): RefusalRule => ({ status, retryable: true, outcome: "none", title });
const unknown = (status: number, title: string): RefusalRule => ({
  status,
  retryable: true,
  outcome: "unknown",
  title,
});

export const refusals = {
  signature_missing: no(401, "The request is not signed"),
  signature_invalid: no(401, "The signature does not match the request"),
  signature_expired: no(401, "The signature was made too long ago or too far ahead"),
  key_unknown: no(401, "The key is not known"),
  key_revoked: no(401, "The key has been revoked"),
  token_invalid: no(401, "The bearer token is missing or not valid"),
  identity_provider_unavailable: later(503, "The issuer's keys can't be had now"),
  route_not_found: no(404, "There is no such route"),
  method_not_allowed: no(405, "The route does not take this method"),
  body_too_large: no(413, "The body is larger than 1 MiB"),
  media_type_unsupported: no(415, "The body is not application/json"),
  request_invalid: no(400, "The request is not well formed"),
  idempotency_key_missing: no(400, "The Idempotency-Key header is missing"),
  cursor_invalid: no(400, "The cursor is not one that this listing gave"),
  role_missing: no(403, "The token lacks the role for this"),
  self_approval: no(403, "An author may not approve"),
  batch_not_found: no(404, "There is no such batch"),
  coupon_not_found: no(404, "There is no such coupon"),
  order_not_found: no(404, "There is no such order"),
  template_not_found: no(404, "There is no such template"),
  campaign_not_found: no(404, "There is no such campaign"),
  reconciliation_not_found: no(404, "There is no such reconciliation"),
  correction_not_found: no(404, "There is no such correction"),
  precondition_required: no(428, "If-Match is missing"),
  precondition_failed: no(412, "The resource has changed since it was read"),
  idempotency_conflict: no(422, "The key or order was used with another payload"),
  caller_suspended: no(403, "The caller is suspended"),
  caller_not_live: no(403, "The caller is not live"),
  operation_not_permitted: no(403, "The caller may not do this"),
  stopped: no(403, "A stop is in force"),
  overloaded: later(503, "The platform is over its capacity"),
  caller_rate_exceeded: later(429, "The caller's rate is exceeded"),
  caller_quota_exhausted: no(409, "The caller's quota is used up"),
  state_conflict: no(409, "The resource's state does not allow this"),
  budget_exceeded: no(409, "The campaign's budget does not cover this"),
  stock_changed: no(409, "The stock is not what the change expects"),
  batch_not_started: later(409, "The batch has not started"),
  batch_paused: later(409, "The batch is paused"),
  batch_ended: no(409, "The batch has ended"),
  batch_deactivated: no(409, "The batch is deactivated"),
  risk_rejected: no(403, "Rejected by risk rules"),
  challenge_required: no(403, "The user has to pass a challenge first"),
  risk_unavailable: later(503, "The risk verdict can't be had now"),
  shard_recovering: later(503, "The shard is recovering"),
  stock_in_transfer: later(503, "Stock is on its way between shards"),
  user_limit_reached: no(409, "The user has as many as a user may have"),
  user_daily_limit_reached: later(409, "The user has as many as a user may have in a day"),
  daily_stock_exhausted: later(409, "The day's stock is used up"),
  stock_exhausted: no(409, "The stock is used up"),
  coupon_pending: later(409, "The coupon is not valid yet"),
  coupon_expired: no(409, "The coupon is not valid any more"),
  coupon_deactivated: no(409, "The coupon is deactivated"),
  coupon_locked: later(409, "The coupon is held for another order"),
  coupon_redeemed: no(409, "The coupon is redeemed"),
  hold_ended: no(409, "The order holds the coupon no more"),
  order_released: no(409, "The order has released the coupon"),
  minimum_spend_not_met: no(409, "The order does not reach the minimum spend"),
  nothing_to_discount: no(409, "Nothing in the order is in the coupon's scope"),
  reversal_exceeds_redemption: no(409, "More would be reversed than was redeemed"),
  log_unavailable: unknown(503, "The log did not confirm in time"),
  deadline_exceeded: unknown(503, "The request's deadline passed"),
  ledger_behind: later(503, "The ledger has not got that far"),
  ledger_unavailable: later(503, "The ledger can't be reached"),
  read_after_timeout: later(503, "The ledger did not reach the position in time"),
  internal_error: unknown(500, "Something failed that nobody expected"),
} as const satisfies Record<string, RefusalRule>;

export type RefusalCode = keyof typeof refusals;

/** A limit spelled out: `max` and `used` count what `name` says, for `scope`. */
export interface LimitReached {
  name: string;
  scope: string;
  max: number;
  used: number;
  resetsAt?: string;
}

/** An expected no. Returned, never thrown. */
export interface Refusal {
  code: RefusalCode;
  detail?: string;
  retryAfterSeconds?: number;
  limit?: LimitReached;
  errors?: FieldError[];
}

/** The codes in their order of precedence, the first to be answered first. */
export const refusalCodes = Object.keys(refusals) as readonly RefusalCode[];
