import { dayAt } from "@coupon/domain";
import type { CouponBook } from "../log/books.ts";

/** A day's coupons: when each was asked for, sorted, and when the first of them was acknowledged. */
interface Day {
  askedMs: Float64Array;
  returnedMs: number;
}

/** Coupons of one shard, or of one user in it, by the day in which they were issued. */
export class IssueDays {
  readonly #days: Day[];

  /** @param askedMs when a coupon was asked for first */
  constructor(coupons: readonly CouponBook[], timeZone: string, askedMs: (coupon: CouponBook) => number) {
    const days = [...Map.groupBy(coupons, ({ issuedAtMs }) => dayAt(timeZone, issuedAtMs))];
    this.#days = days
      .sort(([one], [other]) => one - other)
      .map(([, group]) => ({
        askedMs: Float64Array.from(group, askedMs).sort(),
        returnedMs: Math.min(...group.map(({ returnedMs }) => returnedMs)),
      }));
  }

  /**
   * The most that may have been issued in one day when a request was answered. A shard's time does not go back, so no
   * day counts that is before one in which something had been acknowledged when the request was made.
   */
  mostIn(calledMs: number, returnedMs: number): number {
    const since = this.#days.findLastIndex((day) => day.returnedMs < calledMs);
    const possible = this.#days.slice(Math.max(0, since));
    return Math.max(0, ...possible.map(({ askedMs }) => countUpTo(askedMs, returnedMs)));
  }
}

/** How many of the sorted numbers are not above the value. */
export function countUpTo(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
