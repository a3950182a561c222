import { isUtf8 } from "node:buffer";

/** Deeper nesting than this is refused; nothing in the interface comes near it. */
export const jsonDepthMax = 16;

export type StrictJson = { ok: true; value: unknown } | { ok: false; pointer: string; message: string };

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;

interface Scan {
  /** Colons outside of strings: the number of members that the text writes down. */
  members: number;
  depth: number;
  ascii: boolean;
  escapes: boolean;
}

/**
 * Parses a body the way a ledger wants it: UTF-8 only, no duplicate names, no `__proto__` or
 * `constructor`, no NUL and no half of a surrogate pair in any string, nested at most 16 deep. What
 * JSON.parse silently repairs, such as a repeated name, would make the signer and us read one body as
 * two, so it is refused. Duplicates are found by counting: the text has more members than the tree.
 */
export function parseStrictJson(raw: Buffer): StrictJson {
  const scan = scanText(raw);
  if (scan.depth > jsonDepthMax) return refuse("", `must not be nested deeper than ${jsonDepthMax}`);
  if (!scan.ascii && !isUtf8(raw)) return refuse("", "must be UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(raw.toString(scan.ascii ? "latin1" : "utf8"));
  } catch {
    return refuse("", "must be valid JSON");
  }
  const members = countMembers(value, scan.escapes);
  if (members === scan.members) return { ok: true, value };
  return members < 0 ? findForbidden(value, "") : refuse("", "must not repeat a name within an object");
}

function refuse(pointer: string, message: string): StrictJson {
  return { ok: false, pointer, message };
}

function scanText(raw: Buffer): Scan {
  let members = 0;
  let depth = 0;
  let deepest = 0;
  let bits = 0;
  let inString = false;
  let escapes = false;
  for (let i = 0; i < raw.length; i++) {
    const byte = raw[i] as number;
    bits |= byte;
    if (inString) {
      if (byte === quote) inString = false;
      else if (byte === backslash) {
        escapes = true;
        i++;
      }
    } else if (byte === quote) inString = true;
    else if (byte === colon) members++;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return { members, depth: deepest, ascii: bits < 0x80, escapes };
}

/** Members of the tree; -1 or less where it holds a name or a string that is refused. */
function countMembers(value: unknown, escapes: boolean): number {
  if (typeof value === "string") return escapes && !isPlainText(value) ? Number.NEGATIVE_INFINITY : 0;
  if (typeof value !== "object" || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += countMembers(item, escapes);
    return members;
  }
  const object = value as Record<string, unknown>;
  for (const name in object) {
    if (isForbiddenName(name, escapes)) return Number.NEGATIVE_INFINITY;
    members += 1 + countMembers(object[name], escapes);
  }
  return members;
}

function isForbiddenName(name: string, escapes: boolean): boolean {
  return name === "__proto__" || name === "constructor" || (escapes && !isPlainText(name));
}

function isPlainText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** Says where in a refused tree the fault is; only ever run for one. */
function findForbidden(value: unknown, pointer: string): StrictJson {
  if (typeof value === "string") {
    return isPlainText(value)
      ? { ok: true, value }
      : refuse(pointer, "must not contain NUL or half of a surrogate pair");
  }
  if (typeof value !== "object" || value === null) return { ok: true, value };
  for (const [name, item] of Object.entries(value)) {
    const at = `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1").toWellFormed()}`;
    if (isForbiddenName(name, true)) return refuse(at, "must NOT have additional properties");
    const found = findForbidden(item, at);
    if (!found.ok) return found;
  }
  return { ok: true, value };
}
