/// <reference lib="esnext.temporal" />

/**
 * Calendar days of a time zone as numbers. A day of a zone is the stretch from the first instant of its
 * date to the first instant of the next date: 23 or 25 hours where clocks change, from 01:00 where they
 * skip midnight, and nothing at all where a zone skipped a whole date. Days are counted by the Unix day
 * number of their date (0 is 1970-01-01).
 */

export const DAY_MS = 86_400_000;

/** Entries kept a zone, and zones kept, before a cache is thrown away: bounds, not tuning. */
const DAYS_MAX = 4_096;
const ZONES_MAX = 1_024;

interface Zone {
  /** Unix day number → first instant of that date in the zone, in milliseconds. */
  starts: Map<number, number>;
  around: { day: number; starts: readonly number[] } | null;
}

const zones = new Map<string, Zone>();
const epochDay = Temporal.PlainDate.from("1970-01-01");

/**
 * First instant of a date in a zone, in milliseconds since the Unix epoch.
 *
 * @throws RangeError for a time zone that does not exist
 */
export function startOfDayMs(timeZone: string, day: number): number {
  return startIn(zoneOf(timeZone), timeZone, day);
}

/**
 * Unix day number of the date in the zone at an instant.
 *
 * @throws RangeError for a time zone that does not exist
 */
export function dayAt(timeZone: string, atMs: number): number {
  const zone = zoneOf(timeZone);
  // A zone's date is at most one away from that of UTC.
  const utcDay = Math.floor(atMs / DAY_MS);
  if (startIn(zone, timeZone, utcDay + 1) <= atMs) return utcDay + 1;
  return startIn(zone, timeZone, utcDay) <= atMs ? utcDay : utcDay - 1;
}

/**
 * Starts of five days of the zone, ascending, in milliseconds: of the day before yesterday, yesterday,
 * today, tomorrow and the day after. Two are equal where the zone skipped a date. The same array is
 * given for a whole day; it is not to be changed.
 *
 * @throws RangeError for a time zone that does not exist
 */
export function dayStartsAround(timeZone: string, nowMs: number): readonly number[] {
  const zone = zoneOf(timeZone);
  const day = dayAt(timeZone, nowMs);
  if (zone.around === null || zone.around.day !== day) {
    const starts = [day - 2, day - 1, day, day + 1, day + 2].map((each) => startIn(zone, timeZone, each));
    zone.around = { day, starts: Object.freeze(starts) };
  }
  return zone.around.starts;
}

function zoneOf(timeZone: string): Zone {
  let zone = zones.get(timeZone);
  if (zone === undefined) {
    if (zones.size >= ZONES_MAX) zones.clear();
    zone = { starts: new Map(), around: null };
    zones.set(timeZone, zone);
  }
  return zone;
}

function startIn(zone: Zone, timeZone: string, day: number): number {
  let start = zone.starts.get(day);
  if (start === undefined) {
    start = epochDay.add({ days: day }).toZonedDateTime(timeZone).epochMilliseconds;
    if (zone.starts.size >= DAYS_MAX) zone.starts.clear();
    zone.starts.set(day, start);
  }
  return start;
}
