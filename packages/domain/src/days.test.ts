import fc from "fast-check";
import { expect, it } from "vitest";
import { DAY_MS, dayAt, dayStartsAround, startOfDayMs } from "./days.ts";

const zones = [
  "Europe/Berlin",
  "America/New_York",
  "Asia/Shanghai",
  "Pacific/Apia",
  "Pacific/Kiritimati",
  "Etc/GMT+12",
];
const iso = (starts: readonly number[]) => starts.map((start) => new Date(start).toISOString().slice(0, 16));

it("puts every instant into the one day that it falls into", () => {
  const anyInstant = fc.integer({ min: Date.parse("2005-01-01T00:00Z"), max: Date.parse("2060-01-01T00:00Z") });
  fc.assert(
    fc.property(fc.constantFrom(...zones), anyInstant, (timeZone, atMs) => {
      const day = dayAt(timeZone, atMs);
      expect(startOfDayMs(timeZone, day)).toBeLessThanOrEqual(atMs);
      expect(startOfDayMs(timeZone, day + 1)).toBeGreaterThan(atMs);
      const date = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short" }).format(atMs);
      expect(new Date(day * DAY_MS).toISOString().slice(0, 10)).toBe(date);
    }),
    { numRuns: 500 },
  );
});

it("gives the starts from the day before yesterday to two days ahead, over a clock change", () => {
  const starts = dayStartsAround("Europe/Berlin", Date.parse("2026-03-29T12:00:00Z"));
  expect(iso(starts)).toEqual([
    "2026-03-26T23:00",
    "2026-03-27T23:00",
    "2026-03-28T23:00",
    "2026-03-29T22:00",
    "2026-03-30T22:00",
  ]);
});

it("has a day without length where the zone skipped a date", () => {
  const starts = dayStartsAround("Pacific/Apia", Date.parse("2011-12-30T00:00:00Z"));
  expect(iso(starts)).toEqual([
    "2011-12-27T10:00",
    "2011-12-28T10:00",
    "2011-12-29T10:00",
    "2011-12-30T10:00",
    "2011-12-30T10:00",
  ]);
});

it("gives the same array for a whole day and another for the next", () => {
  const midnight = Date.parse("2026-11-11T16:00:00Z");
  const today = dayStartsAround("Asia/Shanghai", midnight - 1);
  expect(dayStartsAround("Asia/Shanghai", midnight - 1_000_000)).toBe(today);
  expect(Object.isFrozen(today)).toBe(true);
  const tomorrow = dayStartsAround("Asia/Shanghai", midnight);
  expect(tomorrow[2]).toBe(midnight);
  expect(tomorrow.slice(0, 4)).toEqual(today.slice(1));
  expect(dayStartsAround("Asia/Shanghai", midnight - 1)).toEqual(today);
});

it("does not take a zone that does not exist for UTC", () => {
  expect(() => dayAt("Mars/Olympus", 0)).toThrow(RangeError);
  expect(() => dayStartsAround("", 0)).toThrow(RangeError);
});

it("stays right when its caches overflow", () => {
  for (let day = 0; day < 5_000; day++) startOfDayMs("UTC", day);
  expect(startOfDayMs("UTC", 1)).toBe(DAY_MS);
  expect(startOfDayMs("UTC", 4_999)).toBe(4_999 * DAY_MS);
});
