const PATTERN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/;

/** Milliseconds since the Unix epoch of an RFC 3339 time in UTC (`…Z`); null for any other text. */
export function parseInstant(text: string): number | null {
  if (!PATTERN.test(text)) return null;
  const atMs = Date.parse(text);
  // A day that its month does not have rolls over in the parser, so the date must read back.
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(text.slice(0, 19)) ? atMs : null;
}

const SLOTS = 1_024;
const slotKeys = new Float64Array(SLOTS).fill(Number.NaN);
const slotTexts: string[] = new Array(SLOTS).fill("");

/**
 * RFC 3339 text in UTC, to the millisecond, of milliseconds since the Unix epoch. Kept for the seconds
 * in use: answers given in one second share their times.
 *
 * @throws RangeError for an instant outside the years that Date knows
 */
export function formatInstant(atMs: number): string {
  const slot = Math.floor(atMs / 1_000) & (SLOTS - 1);
  if (slotKeys[slot] === atMs) return slotTexts[slot] as string;
  const text = new Date(atMs).toISOString();
  slotKeys[slot] = atMs;
  slotTexts[slot] = text;
  return text;
}
