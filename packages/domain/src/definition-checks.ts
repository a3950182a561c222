import type { FieldError } from "./field-error.ts";
import { parseInstant } from "./instants.ts";

/** Collects what is wrong with a definition. Pointers are relative to `base`. */
export class Findings {
  readonly errors: FieldError[] = [];
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  refuse(pointer: string, message: string): void {
    this.errors.push({ pointer: this.#base + pointer, message });
  }

  /** Whether the value is an integer in the range; a finding where it is not. */
  integer(pointer: string, value: number, least: number, most: number): boolean {
    if (Number.isSafeInteger(value) && value >= least && value <= most) return true;
    this.refuse(pointer, `is not an integer from ${least} to ${most}`);
    return false;
  }

  /** Characters are code points, as schemas and PostgreSQL count them. */
  text(pointer: string, value: string, charactersMax: number): void {
    if (value.trim() === "" || (value.length > charactersMax && [...value].length > charactersMax)) {
      this.refuse(pointer, `has 1 to ${charactersMax} characters that are not all blank`);
    } else if (/\p{Cc}/u.test(value) || !value.isWellFormed()) {
      // PostgreSQL stores neither NUL nor half a surrogate pair.
      this.refuse(pointer, "has control characters or is not well-formed Unicode");
    }
  }

  timeZone(pointer: string, value: string): void {
    if (!isTimeZone(value)) this.refuse(pointer, "is not a time zone of the IANA database");
  }

  currency(pointer: string, value: string): void {
    if (!currencies.has(value)) this.refuse(pointer, "is not an ISO 4217 currency");
  }

  /** The window in milliseconds; null, with a finding, where it is none or ends before it starts. */
  window(pointer: string, { from, until }: { from: string; until: string }): { from: number; until: number } | null {
    const fromMs = parseInstant(from);
    const untilMs = parseInstant(until);
    if (fromMs === null) this.refuse(`${pointer}/from`, instantMessage);
    if (untilMs === null) this.refuse(`${pointer}/until`, instantMessage);
    if (fromMs === null || untilMs === null) return null;
    if (untilMs > fromMs) return { from: fromMs, until: untilMs };
    this.refuse(`${pointer}/until`, "is not after from");
    return null;
  }

  unique(pointer: string, values: readonly string[], field: string): void {
    const seen = new Set<string>();
    for (const [index, value] of values.entries()) {
      if (seen.has(value)) this.refuse(`${pointer}/${index}${field}`, "is named twice");
      seen.add(value);
    }
  }
}

const instantMessage = "is not an RFC 3339 time in UTC (…Z)";

const currencies: ReadonlySet<string> = new Set(Intl.supportedValuesOf("currency"));

/** A zone's name begins with a letter: an offset such as +08:00 has no days of its own to change clocks on. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
