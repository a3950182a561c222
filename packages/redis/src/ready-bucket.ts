import { writeCrc64 } from "./crc64.ts";
import { WORDS } from "./load-run.ts";

/**
 * A user bucket as RESTORE takes it: what DUMP gives of one that live scripts have filled (redis `src/listpack.c`,
 * `src/rdb.c`, `src/cluster.c`). Redis takes such a payload in at a twentieth of what HSET of the same costs, for it
 * need not look for each field among those before.
 *
 *   type, length, listpack: length (4, little-endian), elements (2), field and value in turn, 0xff; version (2), CRC-64
 */
const TYPE_HASH_LISTPACK = 16;
/** Of Redis 7.0; a server takes any version up to its own. */
const RDB_VERSION = 10;
const TYPE_BYTES_MAX = 6;
const LISTPACK_HEADER_BYTES = 6;
const LISTPACK_END = 0xff;
const FOOTER_BYTES = 10;

/** What Redis must run with (README.md): beyond, a live bucket is a hash table, and RESTORE would make a listpack of it. */
const FIELDS_MAX = 512;
const VALUE_BYTES_MAX = 1_024;
/** Serial in three bytes, key hash. */
const COUPON_BYTES = 11;
const COUPONS_OF_USER_MAX = Math.floor(VALUE_BYTES_MAX / COUPON_BYTES);
/** A text of so many bytes is never taken for a number. */
const NUMBER_BYTES_MAX = 20;
const FIELD_ENTRY_BYTES = 8;
const VALUE_ENTRY_BYTES_MAX = VALUE_BYTES_MAX + 4;
const BYTES_MAX =
  TYPE_BYTES_MAX + LISTPACK_HEADER_BYTES + FIELDS_MAX * (FIELD_ENTRY_BYTES + VALUE_ENTRY_BYTES_MAX) + 1 + FOOTER_BYTES;

const bytes = new Uint8Array(BYTES_MAX);
const view = new DataView(bytes.buffer);

/** The coupons of each user of a bucket, as a chain in the order of serials. */
const headOf = new Uint32Array(FIELDS_MAX);
const tailOf = new Uint32Array(FIELDS_MAX);
const countOf = new Uint32Array(FIELDS_MAX);
let nextOf = new Uint32Array(FIELDS_MAX);

/** Finds a user by its field; an entry of another round is free. */
const TABLE_SIZE = 2_048;
const userAt = new Uint16Array(TABLE_SIZE);
const roundAt = new Uint32Array(TABLE_SIZE);
let round = 0;

/**
 * Makes the payload of the coupons `from` to before `to` of `words` ({@link WORDS} each, ascending serials below
 * 0xC00000). Null where it is not certain to be what live scripts make: a text of digits alone is kept as a number, and
 * a bucket with more fields or longer values than a listpack is for is a hash table.
 */
export function readyBucket(words: Uint32Array, from: number, to: number): Buffer | null {
  const users = chainUsers(words, from, to);
  if (users === null) return null;
  let at = TYPE_BYTES_MAX + LISTPACK_HEADER_BYTES;
  for (let user = 0; user < users; user += 1) {
    const head = ((headOf[user] as number) + from) * WORDS;
    const count = countOf[user] as number;
    if (count > COUPONS_OF_USER_MAX) return null;
    const value = writeField(words, head, at);
    at = writeHeadOfValue(count * COUPON_BYTES, value);
    const text = at;
    for (let coupon = headOf[user] as number, n = 0; n < count; coupon = nextOf[coupon] as number, n += 1) {
      writeCoupon(words, (coupon + from) * WORDS, at);
      at += COUPON_BYTES;
    }
    if (isNumber(value - FIELD_ENTRY_BYTES + 1, value - 1) || isNumber(text, at)) return null;
    at = writeBackLength(at - value, at);
  }
  return finished(users, at);
}

/** Tells how many users there are; null where they are too many. */
function chainUsers(words: Uint32Array, from: number, to: number): number | null {
  if (to - from > FIELDS_MAX * COUPONS_OF_USER_MAX) return null;
  if (nextOf.length < to - from) nextOf = new Uint32Array(2 * (to - from));
  round += 1;
  let users = 0;
  for (let coupon = 0; coupon < to - from; coupon += 1) {
    const place = placeOf(words, (from + coupon) * WORDS, from);
    if (roundAt[place] !== round) {
      if (users === FIELDS_MAX) return null;
      roundAt[place] = round;
      userAt[place] = users;
      headOf[users] = coupon;
      countOf[users] = 0;
      users += 1;
    } else {
      nextOf[tailOf[userAt[place] as number] as number] = coupon;
    }
    const user = userAt[place] as number;
    tailOf[user] = coupon;
    countOf[user] = (countOf[user] as number) + 1;
  }
  return users;
}

/** Where the table has the user of the coupon at `at`, or where it is free for it. */
function placeOf(words: Uint32Array, at: number, from: number): number {
  const high = (words[at] as number) & 0xffff;
  const low = words[at + 1] as number;
  let place = (low ^ (low >>> 16) ^ high) & (TABLE_SIZE - 1);
  while (roundAt[place] === round) {
    const other = ((headOf[userAt[place] as number] as number) + from) * WORDS;
    if (words[other + 1] === low && ((words[other] as number) & 0xffff) === high) break;
    place = (place + 1) & (TABLE_SIZE - 1);
  }
  return place;
}

/** A text's length, below 64 or below 4,096. */
function writeHeadOfValue(length: number, at: number): number {
  if (length < 64) {
    bytes[at] = 0x80 | length;
    return at + 1;
  }
  bytes[at] = 0xe0 | (length >> 8);
  bytes[at + 1] = length & 255;
  return at + 2;
}

/** How long an element is, read from its end: seven bits a byte. */
function writeBackLength(length: number, at: number): number {
  if (length <= 127) {
    bytes[at] = length;
    return at + 1;
  }
  bytes[at] = length >> 7;
  bytes[at + 1] = (length & 127) | 128;
  return at + 2;
}

function writeField(words: Uint32Array, at: number, to: number): number {
  const high = words[at] as number;
  const low = words[at + 1] as number;
  bytes[to] = 0x86;
  bytes[to + 1] = high >>> 8;
  bytes[to + 2] = high;
  bytes[to + 3] = low >>> 24;
  bytes[to + 4] = low >>> 16;
  bytes[to + 5] = low >>> 8;
  bytes[to + 6] = low;
  bytes[to + 7] = 7;
  return to + FIELD_ENTRY_BYTES;
}

function writeCoupon(words: Uint32Array, at: number, to: number): void {
  const serial = words[at + 2] as number;
  const high = words[at + 3] as number;
  const low = words[at + 4] as number;
  bytes[to] = serial >>> 16;
  bytes[to + 1] = serial >>> 8;
  bytes[to + 2] = serial;
  bytes[to + 3] = high >>> 24;
  bytes[to + 4] = high >>> 16;
  bytes[to + 5] = high >>> 8;
  bytes[to + 6] = high;
  bytes[to + 7] = low >>> 24;
  bytes[to + 8] = low >>> 16;
  bytes[to + 9] = low >>> 8;
  bytes[to + 10] = low;
}

/** Whether a listpack may keep that text as a number: digits, with or without a sign. */
function isNumber(from: number, to: number): boolean {
  if (to - from > NUMBER_BYTES_MAX || (bytes[from] !== 0x2d && !isDigit(bytes[from] as number))) return false;
  for (let at = from + 1; at < to; at += 1) if (!isDigit(bytes[at] as number)) return false;
  return true;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Closes the listpack that ends at `end`, and puts around it what a payload has. */
function finished(users: number, end: number): Buffer {
  bytes[end] = LISTPACK_END;
  const length = end + 1 - TYPE_BYTES_MAX;
  view.setUint32(TYPE_BYTES_MAX, length, true);
  view.setUint16(TYPE_BYTES_MAX + 4, 2 * users, true);
  let start = TYPE_BYTES_MAX;
  if (length < 64) {
    start -= 1;
    bytes[start] = length;
  } else if (length < 16_384) {
    start -= 2;
    view.setUint16(start, 0x4000 | length);
  } else {
    start -= 5;
    bytes[start] = 0x80;
    view.setUint32(start + 1, length);
  }
  start -= 1;
  bytes[start] = TYPE_HASH_LISTPACK;
  view.setUint16(end + 1, RDB_VERSION, true);
  writeCrc64(bytes, start, end + 3);
  return Buffer.from(bytes.subarray(start, end + 1 + FOOTER_BYTES));
}
