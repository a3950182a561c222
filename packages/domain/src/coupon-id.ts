import { KEY_VERSION_MAX } from "./coupon-keys.ts";
import { decodeWords, encodeWords } from "./crockford.ts";
import { ShortHmac } from "./hmac.ts";

/**
 * A coupon id is 160 bits, written as 32 characters of Crockford's base32:
 *
 * | bits | field |
 * |---|---|
 * | 5 | format, 1 |
 * | 5 | version of the MAC key, 1–31 |
 * | 32 | batch number |
 * | 10 | shard |
 * | 30 | serial in the shard |
 * | 30 | time of issue, in seconds since 2024-01-01T00:00:00Z: until January 2058 |
 * | 48 | MAC: the first bits of HMAC-SHA256 over the 14 bytes before it and the user id |
 *
 * So a forged, guessed or mistyped id and another user's are refused without a look-up.
 */
export interface CouponIdParts {
  keyVersion: number;
  batchNumber: number;
  shard: number;
  serial: number;
  /** Time of issue in seconds since the Unix epoch. */
  issuedAtSeconds: number;
}

/** Encodes and verifies with keys that were prepared once. Not for concurrent use by several threads. */
export interface CouponIdCodec {
  /**
   * The id of a coupon of this user; the same parts and user always give the same text.
   *
   * @throws RangeError where a part is out of its range, the user id is not 1–128 ASCII characters, or
   * there is no key of that version.
   */
  encode(parts: CouponIdParts, userId: string): string;
  /** The parts of an id that was issued to this user; null for every other text or user. */
  verify(text: string, userId: string): CouponIdParts | null;
}

export const BATCH_NUMBER_MAX = 2 ** 32 - 1;
export const SHARD_MAX = 2 ** 10 - 1;
export const SERIAL_MAX = 2 ** 30 - 1;
/** First second that an id can hold, in seconds since the Unix epoch: 2024-01-01T00:00:00Z. */
export const ISSUED_AT_SECONDS_MIN = 1_704_067_200;
/** Last second that an id can hold, in seconds since the Unix epoch. */
export const ISSUED_AT_SECONDS_MAX = ISSUED_AT_SECONDS_MIN + 2 ** 30 - 1;

const FORMAT = 1;
const FIELD_BYTES = 14;
const USER_ID_CHARACTERS_MAX = 128;

/** Prepares the keys, by version (1–31). */
export function createCouponIdCodec(keys: ReadonlyMap<number, Uint8Array>): CouponIdCodec {
  const macs: (ShortHmac | undefined)[] = new Array(KEY_VERSION_MAX + 1).fill(undefined);
  for (const [version, key] of keys) {
    checkRange("keyVersion", version, 1, KEY_VERSION_MAX);
    macs[version] = prepare(key);
  }
  return {
    encode(parts, userId) {
      const mac = macs[parts.keyVersion];
      if (mac === undefined) throw new RangeError(`there is no coupon key of version ${parts.keyVersion}`);
      return encodeWith(mac, parts, userId);
    },
    verify(text, userId) {
      if (!decodeWords(text, words)) return null;
      const mac = macs[((words[0] as number) >>> 22) & 0x1f];
      return mac === undefined ? null : verifyWords(mac, userId);
    },
  };
}

/** As `CouponIdCodec.encode`, under one key, which must not be changed afterwards. */
export function encodeCouponId(parts: CouponIdParts, userId: string, key: Uint8Array): string {
  let mac = prepared.get(key);
  if (mac === undefined) {
    mac = prepare(key);
    prepared.set(key, mac);
  }
  return encodeWith(mac, parts, userId);
}

/**
 * Reads what an id says without asking whether that is true; null where the text has not the shape of
 * one. For routing only: believe nothing before `verify`.
 */
export function decodeCouponId(text: string): CouponIdParts | null {
  return decodeWords(text, words) ? readFields() : null;
}

const prepared = new WeakMap<Uint8Array, ShortHmac>();
/** Scratch: the id's bits. Every use is over before the function that began it returns. */
const words = new Uint32Array(5);

function prepare(key: Uint8Array): ShortHmac {
  return new ShortHmac(key, FIELD_BYTES + USER_ID_CHARACTERS_MAX);
}

function encodeWith(mac: ShortHmac, parts: CouponIdParts, userId: string): string {
  const { keyVersion, batchNumber, shard, serial, issuedAtSeconds } = parts;
  checkRange("keyVersion", keyVersion, 1, KEY_VERSION_MAX);
  checkRange("batchNumber", batchNumber, 0, BATCH_NUMBER_MAX);
  checkRange("shard", shard, 0, SHARD_MAX);
  checkRange("serial", serial, 0, SERIAL_MAX);
  checkRange("issuedAtSeconds", issuedAtSeconds, ISSUED_AT_SECONDS_MIN, ISSUED_AT_SECONDS_MAX);
  const issued = issuedAtSeconds - ISSUED_AT_SECONDS_MIN;
  words[0] = (FORMAT << 27) | (keyVersion << 22) | (batchNumber >>> 10);
  words[1] = (batchNumber << 22) | (shard << 12) | (serial >>> 18);
  words[2] = (serial << 14) | (issued >>> 16);
  words[3] = issued << 16;
  const digest = digestFields(mac, userId);
  if (digest === null) throw new RangeError(`a user id has 1 to ${USER_ID_CHARACTERS_MAX} ASCII characters`);
  words[3] = (words[3] as number) | macHigh(digest);
  words[4] = macLow(digest);
  return encodeWords(words);
}

function verifyWords(mac: ShortHmac, userId: string): CouponIdParts | null {
  const parts = readFields();
  if (parts === null) return null;
  const digest = digestFields(mac, userId);
  if (digest === null) return null;
  // Both words are always compared, so that the time taken tells nothing about the MAC.
  const difference = (((words[3] as number) & 0xffff) ^ macHigh(digest)) | ((words[4] as number) ^ macLow(digest));
  return difference === 0 ? parts : null;
}

function readFields(): CouponIdParts | null {
  const [first, second, third, fourth] = words as unknown as [number, number, number, number];
  const keyVersion = (first >>> 22) & 0x1f;
  if (first >>> 27 !== FORMAT || keyVersion === 0) return null;
  return {
    keyVersion,
    batchNumber: ((first << 10) | (second >>> 22)) >>> 0,
    shard: (second >>> 12) & 0x3ff,
    serial: ((second & 0xfff) << 18) | (third >>> 14),
    issuedAtSeconds: ISSUED_AT_SECONDS_MIN + (((third & 0x3fff) << 16) | (fourth >>> 16)),
  };
}

/** MAC of the fields in `words` and of the user; null where the user id can't be one. */
function digestFields(mac: ShortHmac, userId: string): string | null {
  const length = userId.length;
  if (length < 1 || length > USER_ID_CHARACTERS_MAX) return null;
  const message = mac.message;
  for (let at = 0; at < FIELD_BYTES; at++) {
    message[at] = (words[at >>> 2] as number) >>> (24 - ((at & 3) << 3));
  }
  for (let at = 0; at < length; at++) {
    const code = userId.charCodeAt(at);
    if (code > 127) return null;
    message[FIELD_BYTES + at] = code;
  }
  return mac.digest(FIELD_BYTES + length);
}

function macHigh(digest: string): number {
  return (digest.charCodeAt(0) << 8) | digest.charCodeAt(1);
}

function macLow(digest: string): number {
  return (
    (digest.charCodeAt(2) << 24) | (digest.charCodeAt(3) << 16) | (digest.charCodeAt(4) << 8) | digest.charCodeAt(5)
  );
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} of a coupon id is an integer from ${least} to ${most}, not ${value}`);
  }
}
