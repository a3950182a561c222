import { expect, it } from "vitest";
import { type RefusalCode, refusalCodes, refusals } from "./refusals.ts";

/** The interface's table of refusals to callers, row by row, written down a second time by hand. */
const callersTable: [statuses: number[], codes: RefusalCode[]][] = [
  [[401], ["signature_missing", "signature_invalid", "signature_expired", "key_unknown", "key_revoked"]],
  [
    [404, 405, 413, 415, 400, 400, 400],
    [
      "route_not_found",
      "method_not_allowed",
      "body_too_large",
      "media_type_unsupported",
      "request_invalid",
      "idempotency_key_missing",
      "cursor_invalid",
    ],
  ],
  [[404], ["batch_not_found", "coupon_not_found", "order_not_found"]],
  [[422], ["idempotency_conflict"]],
  [[403], ["caller_suspended", "caller_not_live", "operation_not_permitted", "stopped"]],
  [
    [503, 429, 409],
    ["overloaded", "caller_rate_exceeded", "caller_quota_exhausted"],
  ],
  [[409], ["batch_not_started", "batch_paused", "batch_ended", "batch_deactivated"]],
  [[403], ["risk_rejected", "challenge_required"]],
  [[503], ["risk_unavailable", "shard_recovering", "stock_in_transfer"]],
  [[409], ["user_limit_reached", "user_daily_limit_reached", "daily_stock_exhausted", "stock_exhausted"]],
  [
    [409],
    [
      "coupon_pending",
      "coupon_expired",
      "coupon_deactivated",
      "coupon_locked",
      "coupon_redeemed",
      "hold_ended",
      "order_released",
      "minimum_spend_not_met",
      "nothing_to_discount",
      "reversal_exceeds_redemption",
    ],
  ],
  [
    [503, 503, 503, 503, 503, 500],
    [
      "log_unavailable",
      "deadline_exceeded",
      "ledger_behind",
      "ledger_unavailable",
      "read_after_timeout",
      "internal_error",
    ],
  ],
];

/** What only operators meet. */
const operatorsStatuses: Partial<Record<RefusalCode, number>> = {
  token_invalid: 401,
  identity_provider_unavailable: 503,
  role_missing: 403,
  self_approval: 403,
  template_not_found: 404,
  reconciliation_not_found: 404,
  correction_not_found: 404,
  campaign_not_found: 404,
  precondition_required: 428,
  precondition_failed: 412,
  state_conflict: 409,
  budget_exceeded: 409,
  stock_changed: 409,
};

const callersCodes = callersTable.flatMap(([, codes]) => codes);

it("has the callers' refusals in the table's order of precedence", () => {
  expect(refusalCodes.filter((code) => callersCodes.includes(code))).toEqual(callersCodes);
});

it("has no refusal that neither table has", () => {
  const known = [...callersCodes, ...Object.keys(operatorsStatuses)];
  expect([...refusalCodes].sort()).toEqual(known.sort());
});

it("has the tables' statuses", () => {
  for (const [statuses, codes] of callersTable) {
    for (const [index, code] of codes.entries()) {
      expect(refusals[code].status, code).toBe(statuses[index] ?? statuses[0]);
    }
  }
  for (const [code, status] of Object.entries(operatorsStatuses)) {
    expect(refusals[code as RefusalCode].status, code).toBe(status);
  }
});

it("says that the outcome is unknown where the log or the deadline failed, and only there", () => {
  const unknown = refusalCodes.filter((code) => refusals[code].outcome === "unknown");
  expect(unknown).toEqual(["log_unavailable", "deadline_exceeded", "internal_error"]);
  for (const code of unknown) expect(refusals[code].retryable, code).toBe(true);
});

it("calls every 429 and 503 one that a repeat can help", () => {
  for (const code of refusalCodes) {
    const { status, retryable } = refusals[code];
    if (status === 429 || status === 503) expect(retryable, code).toBe(true);
  }
});
