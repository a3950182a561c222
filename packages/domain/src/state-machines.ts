import type { BatchState, CouponState } from "./model.ts";
import { nextState, type StateMachine } from "./state-machine.ts";

/**
 * What happens to a coupon. `validity_start`, `validity_end` and `hold_end` are the passing of time and
 * never entries; `reverse` is a reversal that restores the coupon (another changes no state).
 */
export type CouponEvent =
  | "validity_start"
  | "validity_end"
  | "lock"
  | "hold_end"
  | "release"
  | "redeem"
  | "reverse"
  | "deactivate";

/**
 * The life of a coupon. A coupon that is released, restored or whose hold ends after its validity has
 * ended passes through `effective` in no time.
 */
export const couponMachine: StateMachine<CouponState, CouponEvent> = {
  initial: ["pending", "effective"],
  final: ["deactivated"],
  transitions: [
    { from: "pending", to: "effective", by: "validity_start" },
    { from: "pending", to: "deactivated", by: "deactivate" },
    { from: "effective", to: "locked", by: "lock" },
    { from: "effective", to: "redeemed", by: "redeem" },
    { from: "effective", to: "expired", by: "validity_end" },
    { from: "effective", to: "deactivated", by: "deactivate" },
    { from: "locked", to: "locked", by: "lock" },
    { from: "locked", to: "redeemed", by: "redeem" },
    { from: "locked", to: "effective", by: "release" },
    { from: "locked", to: "effective", by: "hold_end" },
    { from: "locked", to: "deactivated", by: "deactivate" },
    { from: "redeemed", to: "effective", by: "reverse" },
    { from: "expired", to: "deactivated", by: "deactivate" },
  ],
};

/** What operators do to a batch. */
export type BatchAction = "submit" | "approve" | "reject" | "start" | "pause" | "resume" | "end" | "deactivate";

/** The life of a batch. Only one that was approved can be ended or deactivated; a draft is just changed. */
export const batchMachine: StateMachine<BatchState, BatchAction> = {
  initial: ["draft"],
  final: ["deactivated"],
  transitions: [
    { from: "draft", to: "in_review", by: "submit" },
    { from: "in_review", to: "approved", by: "approve" },
    { from: "in_review", to: "draft", by: "reject" },
    { from: "approved", to: "issuing", by: "start" },
    { from: "approved", to: "ended", by: "end" },
    { from: "approved", to: "deactivated", by: "deactivate" },
    { from: "issuing", to: "paused", by: "pause" },
    { from: "issuing", to: "ended", by: "end" },
    { from: "issuing", to: "deactivated", by: "deactivate" },
    { from: "paused", to: "issuing", by: "resume" },
    { from: "paused", to: "ended", by: "end" },
    { from: "paused", to: "deactivated", by: "deactivate" },
    { from: "ended", to: "deactivated", by: "deactivate" },
  ],
};

/** The state of a batch after an action; null where its state does not allow the action. */
export function batchTransition(state: BatchState, action: BatchAction): BatchState | null {
  return nextState(batchMachine, state, action);
}

/** The state of a coupon after an event; null where its state does not allow the event. */
export function couponTransition(state: CouponState, event: CouponEvent): CouponState | null {
  return nextState(couponMachine, state, event);
}
