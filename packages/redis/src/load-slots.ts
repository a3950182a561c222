import { FIELD_BYTES, KEY_HASH_BYTES } from "./hashes.ts";
import { type CouponRun, type SortedGroup, WORDS } from "./load-run.ts";

/** Serials below take 3 bytes in a slot, others 4 (includes/numbers.lua). */
export const SERIAL_WIDE = 0xc00000;
/** Coupons in a script call: some 2 ms of Redis. */
const CALL_COUPONS = 2_000;
/** Of one bucket in a call: its counts are bytes, and so many arguments fit Lua's stack. */
const BUCKET_COUPONS_MAX = 255;
const COUPON_BYTES_MAX = FIELD_BYTES + 4 + KEY_HASH_BYTES;

/** A call of load-slots.lua, that adds to what the buckets have. */
export interface SlotsCall {
  buckets: number[];
  /** Bytes of a coupon in a slot. */
  width: 11 | 12;
  bytes: Buffer;
}

/** Calls for a run whose serials are all below {@link SERIAL_WIDE}, or all above. */
export function* slotsCalls(run: CouponRun, wide: boolean): Generator<SlotsCall> {
  let call = new SlotsCallBuilder(wide);
  for (const group of run.groups()) {
    let from = 0;
    for (const [bucket, end] of group.ends.entries()) {
      for (; from < end; from += BUCKET_COUPONS_MAX) {
        call.add(group, bucket, from, Math.min(end, from + BUCKET_COUPONS_MAX));
        if (!call.full) continue;
        yield call.finished();
        call = new SlotsCallBuilder(wide);
      }
      from = end;
    }
  }
  if (!call.empty) yield call.finished();
}

/** Calls for one bucket that is fresh, and that another way does not suit: whatever it holds, they make it. */
export function* slotsCallsOf(group: SortedGroup, bucket: number, from: number, to: number): Generator<SlotsCall> {
  for (let at = from; at < to; at += BUCKET_COUPONS_MAX) {
    const call = new SlotsCallBuilder(false);
    call.add(group, bucket, at, Math.min(to, at + BUCKET_COUPONS_MAX), true);
    yield call.finished();
  }
}

class SlotsCallBuilder {
  readonly #wide: boolean;
  readonly #buckets: number[] = [];
  readonly #bytes = Buffer.allocUnsafe((CALL_COUPONS + BUCKET_COUPONS_MAX) * (COUPON_BYTES_MAX + 2));
  #length = 0;
  #coupons = 0;

  constructor(wide: boolean) {
    this.#wide = wide;
  }

  get empty(): boolean {
    return this.#coupons === 0;
  }

  get full(): boolean {
    return this.#coupons >= CALL_COUPONS;
  }

  /** New users first: who may have come before is looked up, and finds them. */
  add({ firstBucket, words }: SortedGroup, bucket: number, from: number, to: number, mayAllBeThere = false): void {
    this.#buckets.push(firstBucket + bucket);
    const counts = this.#length;
    this.#length += 2;
    for (const again of [0, 1]) {
      const before = this.#coupons;
      for (let at = from * WORDS; at < to * WORDS; at += WORDS) {
        const marked = mayAllBeThere ? 1 : (words[at] as number) >>> 31;
        if (marked === again) this.#addCoupon(words, at);
      }
      this.#bytes[counts + again] = this.#coupons - before;
    }
  }

  #addCoupon(words: Uint32Array, at: number): void {
    let to = this.#bytes.writeUInt16BE((words[at] as number) & 0xffff, this.#length);
    to = this.#bytes.writeUInt32BE(words[at + 1] as number, to);
    const serial = words[at + 2] as number;
    // In 3 bytes the first of the 4 is 0 and left out; in 4 the upper two bits say so.
    if (this.#wide) to = this.#bytes.writeUInt8((serial >>> 24) | 0xc0, to);
    to = this.#bytes.writeUIntBE(serial & 0xffffff, to, 3);
    to = this.#bytes.writeUInt32BE(words[at + 3] as number, to);
    this.#length = this.#bytes.writeUInt32BE(words[at + 4] as number, to);
    this.#coupons += 1;
  }

  finished(): SlotsCall {
    return { buckets: this.#buckets, width: this.#wide ? 12 : 11, bytes: this.#bytes.subarray(0, this.#length) };
  }
}
