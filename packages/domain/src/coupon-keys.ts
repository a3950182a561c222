/** Highest key version: the second character of a coupon id holds it. */
export const KEY_VERSION_MAX = 31;

const KEY_BYTES = 32;
const STANDARD_BASE64 = /^[A-Za-z0-9+/]{43}=$/;

/**
 * Reads the MAC keys of coupon ids from their configuration, a JSON map of key version (1–31) to
 * base64 of 32 bytes: `{"1": "…"}`.
 *
 * @throws Error naming what is wrong; never with a key's text in it.
 */
export function parseCouponKeys(json: string): ReadonlyMap<number, Uint8Array> {
  const keys = new Map<number, Uint8Array>();
  for (const [version, text] of Object.entries(parseMap(json))) {
    const number = Number(version);
    if (!/^[1-9]\d?$/.test(version) || number > KEY_VERSION_MAX) {
      throw new Error(`coupon keys: a key version is a number from 1 to ${KEY_VERSION_MAX}`);
    }
    if (typeof text !== "string" || !STANDARD_BASE64.test(text)) {
      throw new Error(`coupon keys: the key of version ${version} is not base64 of ${KEY_BYTES} bytes`);
    }
    keys.set(number, new Uint8Array(Buffer.from(text, "base64")));
  }
  if (keys.size === 0) throw new Error("coupon keys: there is none");
  return keys;
}

function parseMap(json: string): object {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The parser's own message quotes its input, which holds secrets.
    throw new Error("coupon keys: not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("coupon keys: not a JSON map of version to key");
  }
  return value;
}
