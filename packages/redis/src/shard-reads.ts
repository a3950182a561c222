import type { CouponRecord } from "@coupon/domain";
import type { RedisConnection } from "./connect.ts";
import { redisError } from "./errors.ts";
import { FIELD_BYTES, KEY_HASH_BYTES, uint32At, userDigest } from "./hashes.ts";
import { parseHeader } from "./headers.ts";
import { createKeys, type Keys, PAGE_COUPONS } from "./keys.ts";
import { parseRecord } from "./records.ts";
import { type Argument, loadScript, runScript, runScriptForBytes } from "./scripts.ts";
import type { ShardAddress, ShardHeader } from "./shard-calls.ts";

/** A header with everything that can be compared. */
export interface FullHeader extends ShardHeader {
  dayStartMs: number;
  /** Serial of the first coupon that counted in that day. */
  dayFirst: number;
  /** The last transfer to each target, and its amount. */
  debits: { target: number; transfer: number; amount: number }[];
  /** The last transfer from each source. */
  credits: { source: number; transfer: number }[];
  /** The last correction that asks for the shard to be built anew; null since it was. */
  correctionId: string | null;
}

/** Where a reading stands: it is of one moment, after entry `number`. */
export interface Standing {
  number: number;
  nextSerial: number;
}

/** A coupon as Redis has it. A touched one without a record is cold. */
export interface HotCoupon {
  /** 0 nothing on record, 1 on record, 2 redeemed, 3 deactivated. */
  bits: number;
  /** Whether there is a record. */
  warm: boolean;
  /** Null where there is none, or one that can't be read. */
  record: CouponRecord | null;
}

/**
 * Two 32-bit prints of a coupon's place among the users' slots (bucket, user's field, key hash). Another bucket,
 * field or key alone always gives other prints.
 */
export type SlotPrint = [high: number, low: number];

/**
 * Reads a shard's hot state to compare it, and changes nothing. Each reading is of one moment and says after which
 * entry; null where Redis has no such shard, or one that is half loaded. All throw RedisUnavailable.
 */
export interface ShardReads {
  headers(at: readonly ShardAddress[]): Promise<(FullHeader | null)[]>;
  /** The slots of user buckets `from` to `to` - 1: `onSlot` is told serial and prints of each coupon in them. */
  slots(
    at: ShardAddress,
    from: number,
    to: number,
    onSlot: (serial: number, high: number, low: number) => void,
  ): Promise<Standing | null>;
  /** Bits of the coupons from `page` × 4,096 on, two a coupon, in pages; a page that is missing is all 0. */
  pages(at: ShardAddress, page: number, count: number): Promise<(Standing & { bits: (Buffer | null)[] }) | null>;
  coupons(at: ShardAddress, serials: readonly number[]): Promise<(Standing & { coupons: HotCoupon[] }) | null>;
  /** Records of the time index (first serial of a second, that second) from record `from` on, at most `count`. */
  seconds(
    at: ShardAddress,
    from: number,
    count: number,
  ): Promise<(Standing & { seconds: [serial: number, second: number][] }) | null>;
  /** What `slots` must tell of this user's coupon. */
  slotPrint(batch: number, userId: string, keyHash: string, buckets: number, print: SlotPrint): void;
}

const readKeys = loadScript("read-keys");
const readCoupons = loadScript("read-coupons");

export const COUPONS_IN_PAGE = PAGE_COUPONS;

export function createShardReads(options: { redis: RedisConnection; prefix: string; hashKey: Buffer }): ShardReads {
  return new RedisShardReads(options.redis, createKeys(options.prefix), options.hashKey);
}

class RedisShardReads implements ShardReads {
  readonly #redis: RedisConnection;
  readonly #keys: Keys;
  readonly #hashKey: Buffer;

  constructor(redis: RedisConnection, keys: Keys, hashKey: Buffer) {
    this.#redis = redis;
    this.#keys = keys;
    this.#hashKey = hashKey;
  }

  headers(at: readonly ShardAddress[]): Promise<(FullHeader | null)[]> {
    return Promise.all(
      at.map(async (one) => {
        const fields = await this.#redis.hgetall(this.#keys.header(one)).catch((error: unknown) => {
          throw redisError(error);
        });
        return fullHeader(fields);
      }),
    );
  }

  async slots(
    at: ShardAddress,
    from: number,
    to: number,
    onSlot: (serial: number, high: number, low: number) => void,
  ): Promise<Standing | null> {
    const keys = [this.#keys.header(at)];
    for (let bucket = from; bucket < to; bucket += 1) keys.push(this.#keys.bucket(at, bucket));
    const reply = await this.#readKeys<Buffer[]>(keys, ["HGETALL"]);
    if (reply === null) return null;
    reply.values.forEach((fields, index) => {
      for (let i = 0; i + 1 < fields.length; i += 2) {
        readSlots(from + index, fields[i] as Buffer, fields[i + 1] as Buffer, onSlot);
      }
    });
    return reply.standing;
  }

  async pages(at: ShardAddress, page: number, count: number) {
    const keys = [this.#keys.header(at)];
    for (let each = page; each < page + count; each += 1) keys.push(this.#keys.page(at, each));
    const reply = await this.#readKeys<Buffer | null>(keys, ["GET"]);
    return reply === null ? null : { ...reply.standing, bits: reply.values };
  }

  async coupons(at: ShardAddress, serials: readonly number[]) {
    const keys = [this.#keys.header(at)];
    for (const serial of serials) keys.push(this.#keys.pageOf(at, serial), this.#keys.record(at, serial));
    const reply = (await runScript(this.#redis, readCoupons, keys, serials)) as (string | number | string[])[] | null;
    if (reply === null) return null;
    const coupons = serials.map((_, index) =>
      hotCoupon(reply[2 * index + 2] as number, reply[2 * index + 3] as string[]),
    );
    return { number: Number(reply[0]), nextSerial: Number(reply[1]), coupons };
  }

  async seconds(at: ShardAddress, from: number, count: number) {
    const keys = [this.#keys.header(at), this.#keys.timeIndex(at)];
    const reply = await this.#readKeys<Buffer>(keys, ["GETRANGE", from * 8, (from + count) * 8 - 1]);
    if (reply === null) return null;
    const bytes = reply.values[0] ?? Buffer.alloc(0);
    const seconds: [number, number][] = [];
    for (let i = 0; i + 8 <= bytes.length; i += 8) seconds.push([bytes.readUInt32BE(i), bytes.readUInt32BE(i + 4)]);
    return { ...reply.standing, seconds };
  }

  slotPrint(batch: number, userId: string, keyHash: string, buckets: number, print: SlotPrint): void {
    const user = userDigest(this.#hashKey, batch, userId);
    const bucket = uint32At(user, 4) % buckets;
    const high = Number.parseInt(keyHash.slice(0, 8), 16);
    const low = Number.parseInt(keyHash.slice(8, 16), 16);
    const tail = (user.charCodeAt(12) << 8) | user.charCodeAt(13);
    print[0] = mix(uint32At(user, 8), high, bucket);
    print[1] = mix(tail, low, bucket);
  }

  async #readKeys<Value>(keys: string[], how: Argument[]): Promise<{ standing: Standing; values: Value[] } | null> {
    const reply = (await runScriptForBytes(this.#redis, readKeys, keys, how)) as Buffer[] | null;
    if (reply === null) return null;
    const standing = { number: Number(String(reply[0])), nextSerial: Number(String(reply[1])) };
    return { standing, values: reply.slice(2) as Value[] };
  }
}

/** Sum of products with odd factors, so that no one part can change without the whole. */
function mix(a: number, b: number, c: number): number {
  return (Math.imul(a, 0x9e3779b1) + Math.imul(b, 0x85ebca6b) + Math.imul(c, 0xc2b2ae35)) >>> 0;
}

/** A user's slot: per coupon its serial in 3 or 4 bytes (includes/numbers.lua) and 8 bytes of the key's hash. */
function readSlots(
  bucket: number,
  field: Buffer,
  slot: Buffer,
  onSlot: (serial: number, high: number, low: number) => void,
): void {
  const whole = field.length === FIELD_BYTES;
  const head = whole ? field.readUInt32BE(0) : 0;
  const tail = whole ? field.readUInt16BE(4) : 0;
  let at = 0;
  while (at + 3 + KEY_HASH_BYTES <= slot.length) {
    const wide = (slot[at] as number) >= 0xc0;
    const serial = wide ? slot.readUInt32BE(at) - 0xc0000000 : slot.readUIntBE(at, 3);
    at += wide ? 4 : 3;
    if (at + KEY_HASH_BYTES > slot.length) return;
    onSlot(serial, mix(head, slot.readUInt32BE(at), bucket), mix(tail, slot.readUInt32BE(at + 4), bucket));
    at += KEY_HASH_BYTES;
  }
}

function hotCoupon(bits: number, fields: string[]): HotCoupon {
  if (fields.length === 0) return { bits, warm: false, record: null };
  try {
    return { bits, warm: true, record: parseRecord(fields).record };
  } catch {
    // Somebody has been at it; the reader compares, and says so.
    return { bits, warm: true, record: null };
  }
}

function fullHeader(fields: Record<string, string>): FullHeader | null {
  const { e, n, h, t, s, l, d, o, r } = fields;
  const header = parseHeader([e, n, h, t, s, l, d, o, r].map((value) => value ?? null));
  if (header === null) return null;
  const debits: FullHeader["debits"] = [];
  const credits: FullHeader["credits"] = [];
  for (const [field, value] of Object.entries(fields)) {
    const peer = Number(field.slice(1));
    if (/^D\d+$/.test(field)) {
      const [transfer, amount] = value.split(" ").map(Number);
      debits.push({ target: peer, transfer: transfer ?? 0, amount: amount ?? 0 });
    } else if (/^C\d+$/.test(field)) credits.push({ source: peer, transfer: Number(value) });
  }
  return {
    ...header,
    dayStartMs: Number(fields.y),
    dayFirst: Number(fields.f),
    debits,
    credits,
    correctionId: fields.k ?? null,
  };
}
