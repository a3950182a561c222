import type { ImageCoupons } from "@coupon/domain";
import { FIELD_BYTES, KEY_HASH_BYTES, uint32At, userDigest } from "./hashes.ts";

/** Serials below take 3 bytes in a slot, others 4 (includes/numbers.lua). A run never reaches over it. */
const SERIAL_WIDE = 0xc00000;
/** Field, serial in 4 bytes, key hash. */
const STAGED_BYTES = FIELD_BYTES + 4 + KEY_HASH_BYTES;
/** Coupons in a script call: some 2 ms of Redis. */
const CALL_COUPONS = 2_000;
/** Of one bucket in a call: its counts are bytes, and so many arguments fit Lua's stack. */
const BUCKET_COUPONS_MAX = 255;
const SEEN_BITS_MIN = 10;
/** 64 MB. */
const SEEN_BITS_MAX = 29;

/**
 * Tells whether a user's field may have come before: never no where it has. Who surely comes for the first time can be
 * written without a look at what is there.
 */
export class SeenFields {
  readonly #bits: Uint32Array;
  readonly #mask: number;

  /** For so many fields: up to 33 million of them one in 16 or fewer is taken for another. */
  constructor(fields: number) {
    const bits = Math.min(SEEN_BITS_MAX, Math.max(SEEN_BITS_MIN, Math.ceil(Math.log2(fields * 16 + 1))));
    this.#bits = new Uint32Array(2 ** (bits - 5));
    this.#mask = 2 ** bits - 1;
  }

  /** Remembers the field that `hash` was made of, and tells whether it may have been there. */
  add(hash: number): boolean {
    const at = (hash & this.#mask) >>> 5;
    const bit = 1 << (hash & 31);
    const word = this.#bits[at] as number;
    if ((word & bit) !== 0) return true;
    this.#bits[at] = word | bit;
    return false;
  }
}

interface RunOptions {
  hashKey: Buffer;
  batch: number;
  buckets: number;
  /** Coupons at most. */
  size: number;
  seen: SeenFields;
}

export interface SlotsCall {
  buckets: number[];
  packed: { bytes: Buffer; wide: boolean };
}

/** Coupons that are gathered by ascending serials and given out bucket by bucket. */
export class SlotRun {
  readonly #options: RunOptions;
  readonly #staged: Buffer;
  readonly #bucketOf: Uint32Array;
  readonly #maySeen: Uint8Array;
  #count = 0;
  #first = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#staged = Buffer.allocUnsafe(options.size * STAGED_BYTES);
    this.#bucketOf = new Uint32Array(options.size);
    this.#maySeen = new Uint8Array(options.size);
  }

  get full(): boolean {
    return this.#count === this.#options.size || (this.#count > 0 && this.#first + this.#count === SERIAL_WIDE);
  }

  /** Takes coupons of the chunk from `from` on, as many as there is room for; tells how many. */
  add(chunk: ImageCoupons, from: number): number {
    const { hashKey, batch, buckets, size, seen } = this.#options;
    if (this.#count === 0) this.#first = chunk.first + from;
    const room = this.#first < SERIAL_WIDE ? SERIAL_WIDE - this.#first : size;
    const taken = Math.min(chunk.userIds.length - from, Math.min(room, size) - this.#count);
    const staged = this.#staged;
    for (let i = from; i < from + taken; i += 1) {
      const user = userDigest(hashKey, batch, chunk.userIds[i] as string);
      const index = this.#count;
      const at = index * STAGED_BYTES;
      this.#bucketOf[index] = uint32At(user, 4) % buckets;
      this.#maySeen[index] = seen.add(uint32At(user, 8)) ? 1 : 0;
      for (let j = 0; j < FIELD_BYTES; j += 1) staged[at + j] = user.charCodeAt(8 + j);
      staged.writeUInt32BE(chunk.first + i, at + FIELD_BYTES);
      for (let j = 0; j < KEY_HASH_BYTES; j += 1) {
        staged[at + FIELD_BYTES + 4 + j] = chunk.keyHashes[i * KEY_HASH_BYTES + j] as number;
      }
      this.#count += 1;
    }
    return taken;
  }

  /** The run's script calls, each of a few thousand coupons. */
  *calls(): Generator<SlotsCall> {
    const { ends, order } = this.#sort();
    const wide = this.#first >= SERIAL_WIDE;
    let call = new CallBuilder(wide);
    let from = 0;
    for (let bucket = 0; bucket < ends.length; bucket += 1) {
      const end = ends[bucket] as number;
      for (; from < end; from += BUCKET_COUPONS_MAX) {
        this.#put(call, bucket, order.subarray(from, Math.min(end, from + BUCKET_COUPONS_MAX)));
        if (call.count < CALL_COUPONS) continue;
        yield call.finished();
        call = new CallBuilder(wide);
      }
      from = end;
    }
    if (call.count > 0) yield call.finished();
  }

  /** Sorts by bucket, in each by serial: `ends` says where in `order` each bucket's coupons end. */
  #sort(): { ends: Uint32Array; order: Uint32Array } {
    const ends = new Uint32Array(this.#options.buckets);
    const order = new Uint32Array(this.#count);
    for (let i = 0; i < this.#count; i += 1)
      ends[this.#bucketOf[i] as number] = (ends[this.#bucketOf[i] as number] as number) + 1;
    let start = 0;
    for (let bucket = 0; bucket < ends.length; bucket += 1) {
      const count = ends[bucket] as number;
      ends[bucket] = start;
      start += count;
    }
    for (let i = 0; i < this.#count; i += 1) {
      const bucket = this.#bucketOf[i] as number;
      order[ends[bucket] as number] = i;
      ends[bucket] = (ends[bucket] as number) + 1;
    }
    return { ends, order };
  }

  /** New users first: who may have come before is looked up, and finds them. */
  #put(call: CallBuilder, bucket: number, indices: Uint32Array): void {
    call.begin(bucket);
    for (const again of [0, 1]) {
      for (const index of indices) {
        if (this.#maySeen[index] === again) call.add(this.#staged, index * STAGED_BYTES, again === 1);
      }
    }
  }
}

class CallBuilder {
  count = 0;
  readonly #wide: boolean;
  readonly #buckets: number[] = [];
  readonly #bytes = Buffer.allocUnsafe((CALL_COUPONS + BUCKET_COUPONS_MAX) * (STAGED_BYTES + 2));
  #length = 0;
  #counts = 0;

  constructor(wide: boolean) {
    this.#wide = wide;
  }

  begin(bucket: number): void {
    this.#buckets.push(bucket);
    this.#counts = this.#length;
    this.#bytes[this.#length] = 0;
    this.#bytes[this.#length + 1] = 0;
    this.#length += 2;
  }

  add(staged: Buffer, at: number, again: boolean): void {
    const counted = this.#counts + (again ? 1 : 0);
    this.#bytes[counted] = (this.#bytes[counted] as number) + 1;
    let to = this.#length;
    for (let i = 0; i < FIELD_BYTES; i += 1) this.#bytes[to++] = staged[at + i] as number;
    // In 3 bytes the first of the 4 is 0 and left out; in 4 the upper two bits say so.
    if (this.#wide) this.#bytes[to++] = (staged[at + FIELD_BYTES] as number) | 0xc0;
    for (let i = FIELD_BYTES + 1; i < STAGED_BYTES; i += 1) this.#bytes[to++] = staged[at + i] as number;
    this.#length = to;
    this.count += 1;
  }

  finished(): SlotsCall {
    return { buckets: this.#buckets, packed: { bytes: this.#bytes.subarray(0, this.#length), wide: this.#wide } };
  }
}
