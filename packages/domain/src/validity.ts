import { DAY_MS, dayAt, startOfDayMs } from "./days.ts";
import { parseInstant } from "./instants.ts";
import type { CouponState, Template, Validity } from "./model.ts";

/** When a coupon can be used: from `validFromMs` until `validUntilMs`, exclusive. */
export interface CouponWindow {
  validFromMs: number;
  validUntilMs: number;
}

/**
 * When a coupon of this template that was issued then can be used.
 *
 * - Fixed: as the template says, whenever it was issued.
 * - Rolling: `days` × 24 hours, beginning `delayDays` × 24 hours after the issue.
 * - Calendar: day 1 is the day of issue in the template's time zone. The coupon is valid on the `days`
 *   days that follow the first `delayDays` ones: from the issue (without a delay) or from the start of
 *   the first of them, until the start of the day after the last one.
 *
 * @param issuedAtSeconds time of issue in seconds since the Unix epoch
 * @throws RangeError for a template that `checkTemplate` would not have passed
 */
export function couponWindow(template: Pick<Template, "validity" | "timeZone">, issuedAtSeconds: number): CouponWindow {
  const { validity, timeZone } = template;
  if ("from" in validity) return fixedWindow(validity);
  const issuedMs = issuedAtSeconds * 1_000;
  const delayDays = validity.delayDays ?? 0;
  if (validity.mode === "rolling") {
    const validFromMs = issuedMs + delayDays * DAY_MS;
    return { validFromMs, validUntilMs: validFromMs + validity.days * DAY_MS };
  }
  const dayOfIssue = dayAt(timeZone, issuedMs);
  return {
    validFromMs: delayDays === 0 ? issuedMs : startOfDayMs(timeZone, dayOfIssue + delayDays),
    validUntilMs: startOfDayMs(timeZone, dayOfIssue + delayDays + validity.days),
  };
}

/**
 * The first instant of issue, in milliseconds, whose coupons are still valid or valid later at `atMs`: those issued
 * before it are over, those issued at it or later are not. `Infinity` where all are over, `-Infinity` where none is.
 * Of one template a coupon that was issued later is never over earlier, which is what makes one instant tell.
 */
export function firstLiveIssueMs(template: Pick<Template, "validity" | "timeZone">, atMs: number): number {
  const { validity, timeZone } = template;
  if ("from" in validity) return atMs < fixedWindow(validity).validUntilMs ? -Infinity : Infinity;
  const days = (validity.delayDays ?? 0) + validity.days;
  if (validity.mode === "calendar") return startOfDayMs(timeZone, dayAt(timeZone, atMs) - days + 1);
  // Validity counts from the whole second of the issue.
  return (Math.floor((atMs - days * DAY_MS) / 1_000) + 1) * 1_000;
}

/** Coupon states that are stored. `pending` and `expired` follow from time alone. */
export type StoredCouponState = "effective" | "locked" | "redeemed" | "deactivated";

/** What is on record of a coupon, as far as its state goes. */
export interface CouponStanding {
  stored: StoredCouponState;
  /** Deadline of the hold, where `stored` is `locked`; 0 or absent elsewhere. */
  lockedUntilMs?: number;
  /** Whether its batch was deactivated together with what it had issued. */
  revoked?: boolean;
}

/**
 * The state to show for a coupon. A redemption stays one whatever becomes of the batch; deactivation
 * outranks a hold; a hold in time outranks the end of the validity; a hold that has ended is none.
 */
export function couponStateAt(standing: CouponStanding, window: CouponWindow, nowMs: number): CouponState {
  if (standing.stored === "redeemed") return "redeemed";
  if (standing.stored === "deactivated" || standing.revoked === true) return "deactivated";
  if (standing.stored === "locked" && nowMs < (standing.lockedUntilMs ?? 0)) return "locked";
  if (nowMs >= window.validUntilMs) return "expired";
  return nowMs < window.validFromMs ? "pending" : "effective";
}

const fixedWindows = new WeakMap<Validity, CouponWindow>();

function fixedWindow(validity: { from: string; until: string }): CouponWindow {
  let window = fixedWindows.get(validity);
  if (window === undefined) {
    const validFromMs = parseInstant(validity.from);
    const validUntilMs = parseInstant(validity.until);
    if (validFromMs === null || validUntilMs === null) throw new RangeError("a validity's times are RFC 3339 in UTC");
    window = Object.freeze({ validFromMs, validUntilMs });
    fixedWindows.set(validity, window);
  }
  return window;
}
