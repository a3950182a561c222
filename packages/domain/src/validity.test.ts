/// <reference lib="esnext.temporal" />
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CouponState, Validity } from "./model.ts";
import { type CouponStanding, couponStateAt, couponWindow, firstLiveIssueMs } from "./validity.ts";

const at = (text: string) => Date.parse(text) / 1_000;

/** From and until in local time with the offset then in force, as a person there would say it. */
function windowIn(timeZone: string, validity: Validity, issued: string): [string, string] {
  const { validFromMs, validUntilMs } = couponWindow({ validity, timeZone }, at(issued));
  const local = (ms: number) =>
    Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timeZone).toString({ timeZoneName: "never" });
  return [local(validFromMs), local(validUntilMs)];
}

const calendar = (days: number, delayDays?: number): Validity =>
  delayDays === undefined ? { days, mode: "calendar" } : { days, delayDays, mode: "calendar" };
const rolling = (days: number, delayDays = 0): Validity => ({ days, delayDays, mode: "rolling" });

describe("a fixed window", () => {
  it("is the template's, whenever the coupon was issued", () => {
    const validity = { from: "2026-06-01T00:00:00Z", until: "2026-06-19T00:00:00.500Z" };
    for (const issued of [0, at("2026-06-05T00:00:00Z"), at("2040-01-01T00:00:00Z")]) {
      expect(couponWindow({ validity, timeZone: "Asia/Shanghai" }, issued)).toEqual({
        validFromMs: Date.parse("2026-06-01T00:00:00Z"),
        validUntilMs: Date.parse("2026-06-19T00:00:00.500Z"),
      });
    }
  });

  it("that can't be read is an error, not a window", () => {
    const validity = { from: "tomorrow", until: "2026-06-19T00:00:00Z" };
    expect(() => couponWindow({ validity, timeZone: "UTC" }, 0)).toThrow(RangeError);
  });
});

describe("a rolling window", () => {
  it("counts hours and knows no clock change", () => {
    const issued = "2026-03-28T11:00:00Z";
    expect(windowIn("Europe/Berlin", rolling(1), issued)).toEqual([
      "2026-03-28T12:00:00+01:00",
      "2026-03-29T13:00:00+02:00",
    ]);
    expect(windowIn("Europe/Berlin", rolling(2, 1), issued)).toEqual([
      "2026-03-29T13:00:00+02:00",
      "2026-03-31T13:00:00+02:00",
    ]);
  });
});

describe("a calendar window", () => {
  it("has the day of issue as day 1 and ends with its last day", () => {
    expect(windowIn("Asia/Shanghai", calendar(1), "2026-11-11T15:59:59Z")).toEqual([
      "2026-11-11T23:59:59+08:00",
      "2026-11-12T00:00:00+08:00",
    ]);
    expect(windowIn("Asia/Shanghai", calendar(1), "2026-11-11T16:00:00Z")).toEqual([
      "2026-11-12T00:00:00+08:00",
      "2026-11-13T00:00:00+08:00",
    ]);
    expect(windowIn("Asia/Shanghai", calendar(7), "2026-11-11T02:30:00Z")).toEqual([
      "2026-11-11T10:30:00+08:00",
      "2026-11-18T00:00:00+08:00",
    ]);
  });

  it("begins with the first day after the delay", () => {
    expect(windowIn("Asia/Shanghai", calendar(3, 1), "2026-11-11T02:30:00Z")).toEqual([
      "2026-11-12T00:00:00+08:00",
      "2026-11-15T00:00:00+08:00",
    ]);
    expect(windowIn("Asia/Shanghai", calendar(3, 0), "2026-11-11T02:30:00Z")).toEqual(
      windowIn("Asia/Shanghai", calendar(3), "2026-11-11T02:30:00Z"),
    );
  });

  it("has 23 and 25 hours where clocks change", () => {
    expect(windowIn("Europe/Berlin", calendar(1), "2026-03-28T23:00:00Z")).toEqual([
      "2026-03-29T00:00:00+01:00",
      "2026-03-30T00:00:00+02:00",
    ]);
    expect(windowIn("Europe/Berlin", calendar(1), "2026-10-24T22:00:00Z")).toEqual([
      "2026-10-25T00:00:00+02:00",
      "2026-10-26T00:00:00+01:00",
    ]);
    expect(windowIn("America/New_York", calendar(2), "2026-03-08T04:59:59Z")).toEqual([
      "2026-03-07T23:59:59-05:00",
      "2026-03-09T00:00:00-04:00",
    ]);
    expect(windowIn("America/New_York", calendar(1, 1), "2026-10-31T12:00:00Z")).toEqual([
      "2026-11-01T00:00:00-04:00",
      "2026-11-02T00:00:00-05:00",
    ]);
  });

  it("counts a date that the zone skipped as a day of the calendar", () => {
    // Samoa went from 29 to 31 December 2011 over night.
    expect(windowIn("Pacific/Apia", calendar(2), "2011-12-30T00:00:00Z")).toEqual([
      "2011-12-29T14:00:00-10:00",
      "2011-12-31T00:00:00+14:00",
    ]);
    expect(windowIn("Pacific/Apia", calendar(1), "2011-12-30T10:00:00Z")).toEqual([
      "2011-12-31T00:00:00+14:00",
      "2012-01-01T00:00:00+14:00",
    ]);
  });

  it("starts where the clocks skip midnight", () => {
    expect(windowIn("Asia/Beirut", calendar(1, 1), "2026-03-28T12:00:00Z")).toEqual([
      "2026-03-29T01:00:00+03:00",
      "2026-03-30T00:00:00+03:00",
    ]);
  });

  it("agrees with Temporal's own date arithmetic anywhere, any time", () => {
    const zones = ["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Pacific/Apia", "Asia/Kathmandu", "UTC"];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: at("2024-01-01T00:00:00Z"), max: at("2057-12-31T00:00:00Z") }),
        fc.integer({ min: 1, max: 60 }),
        fc.nat(60),
        (timeZone, issued, days, delayDays) => {
          const instant = Temporal.Instant.fromEpochMilliseconds(issued * 1_000).toZonedDateTimeISO(timeZone);
          const first = instant.toPlainDate().add({ days: delayDays });
          const window = couponWindow({ validity: calendar(days, delayDays), timeZone }, issued);
          expect(window).toEqual({
            validFromMs: delayDays === 0 ? issued * 1_000 : first.toZonedDateTime(timeZone).epochMilliseconds,
            validUntilMs: first.add({ days }).toZonedDateTime(timeZone).epochMilliseconds,
          });
          expect(window.validFromMs).toBeLessThan(window.validUntilMs);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("couponStateAt", () => {
  const window = { validFromMs: 1_000, validUntilMs: 2_000 };
  const cases: [string, CouponStanding, number, CouponState][] = [
    ["before its validity", { stored: "effective" }, 999, "pending"],
    ["from its first instant", { stored: "effective" }, 1_000, "effective"],
    ["to its last", { stored: "effective" }, 1_999, "effective"],
    ["until is exclusive", { stored: "effective" }, 2_000, "expired"],
    ["held", { stored: "locked", lockedUntilMs: 1_500 }, 1_499, "locked"],
    ["the hold's deadline is exclusive", { stored: "locked", lockedUntilMs: 1_500 }, 1_500, "effective"],
    ["a hold outlives the validity", { stored: "locked", lockedUntilMs: 2_500 }, 2_499, "locked"],
    ["and then the coupon is expired", { stored: "locked", lockedUntilMs: 2_500 }, 2_500, "expired"],
    ["redeemed stays, whatever the time", { stored: "redeemed" }, 9_999, "redeemed"],
    ["redeemed stays in a revoked batch", { stored: "redeemed", revoked: true }, 1_500, "redeemed"],
    ["deactivated outranks time", { stored: "deactivated" }, 9_999, "deactivated"],
    ["revoked", { stored: "effective", revoked: true }, 1_500, "deactivated"],
    ["revoked outranks a hold", { stored: "locked", lockedUntilMs: 1_900, revoked: true }, 1_500, "deactivated"],
    ["revoked: false says nothing", { stored: "effective", revoked: false }, 1_500, "effective"],
  ];
  it.each(cases)("%s", (_, standing, nowMs, state) => {
    expect(couponStateAt(standing, window, nowMs)).toBe(state);
  });
});

describe("firstLiveIssueMs", () => {
  const validities = fc.oneof(
    fc.record({ days: fc.integer({ min: 1, max: 400 }), delayDays: fc.nat(40), mode: fc.constant("rolling" as const) }),
    fc.record({
      days: fc.integer({ min: 1, max: 400 }),
      delayDays: fc.nat(40),
      mode: fc.constant("calendar" as const),
    }),
    fc.constant({ from: "2026-06-01T00:00:00Z", until: "2026-06-19T00:00:00.500Z" }),
  );
  const instants = fc.integer({ min: Date.parse("2025-01-01T00:00:00Z"), max: Date.parse("2029-01-01T00:00:00Z") });

  it("parts the coupons that are over from those that are not, to the millisecond", () => {
    const zones = fc.constantFrom("Asia/Shanghai", "America/New_York", "UTC");
    fc.assert(
      fc.property(
        validities,
        zones,
        instants,
        instants,
        fc.integer({ min: -2, max: 2 }),
        (validity, timeZone, at, any, near) => {
          const template = { validity, timeZone };
          const first = firstLiveIssueMs(template, at);
          for (const issuedMs of [any, ...(Number.isFinite(first) ? [first + near] : [])]) {
            const { validUntilMs } = couponWindow(template, Math.floor(issuedMs / 1_000));
            expect(issuedMs < first, `${issuedMs} at ${at}`).toBe(at >= validUntilMs);
          }
        },
      ),
    );
  });
});
