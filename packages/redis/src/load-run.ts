import type { ImageCoupons } from "@coupon/domain";
import { KEY_HASH_BYTES, type UserDigests, uint32At } from "./hashes.ts";
import type { SeenFields } from "./seen-fields.ts";

/**
 * A coupon while it is sorted, as 32-bit words: 1 bit whether its user may have come before, 15 bits for its bucket
 * within the group, and the user's field (48 bits); serial; key hash (64 bits).
 */
export const WORDS = 5;
const GROUPS_MAX = 256;
const BUCKETS_MAX = GROUPS_MAX * 0x8000;
const BLOCK_COUPONS = 1_024;
const BLOCK_WORDS = BLOCK_COUPONS * WORDS;

/** Neighbouring buckets with all that the run has for them. */
export interface SortedGroup {
  firstBucket: number;
  /** {@link WORDS} a coupon, sorted by bucket, in each by serial. Good until the next group is asked for. */
  words: Uint32Array;
  /** Per bucket, how many coupons lie before its end. */
  ends: Uint32Array;
}

/** Goes through a chunk's coupons: where each user's id begins follows from the one before. */
export class ChunkCursor {
  readonly chunk: ImageCoupons;
  index = 0;
  user = 0;

  constructor(chunk: ImageCoupons) {
    this.chunk = chunk;
  }

  get left(): number {
    return this.chunk.count - this.index;
  }
}

interface RunOptions {
  digests: UserDigests;
  buckets: number;
  /** Coupons at most. */
  size: number;
  /** By it coupons are marked whose users may have come in a run before. */
  seen: SeenFields | null;
}

/**
 * Coupons that are gathered by ascending serials and given out bucket by bucket. Sorted at once, each would go to, and
 * come from, memory that is in no cache; so they are laid into at most 256 groups of buckets, each of which grows at its
 * end, and a group is sorted when its turn comes.
 */
export class CouponRun {
  count = 0;
  readonly size: number;
  readonly #options: RunOptions;
  readonly #bucketsInGroup: number;
  readonly #groups: Uint32Array[][];
  /** Coupons in the last block of each group. */
  readonly #filled: Uint16Array;

  constructor(options: RunOptions) {
    if (options.buckets > BUCKETS_MAX) throw new RangeError(`${options.buckets} buckets are more than ${BUCKETS_MAX}`);
    this.#options = options;
    this.size = options.size;
    this.#bucketsInGroup = Math.ceil(options.buckets / GROUPS_MAX);
    this.#groups = Array.from({ length: Math.ceil(options.buckets / this.#bucketsInGroup) }, () => []);
    this.#filled = new Uint16Array(this.#groups.length).fill(BLOCK_COUPONS);
  }

  get full(): boolean {
    return this.count >= this.size;
  }

  /** Takes up to `max` coupons, as many as there are and there is room for. */
  add(cursor: ChunkCursor, max: number): void {
    const { digests, buckets, seen } = this.#options;
    const { users, keyHashes, first } = cursor.chunk;
    const taken = Math.min(cursor.left, max, this.size - this.count);
    for (let n = 0; n < taken; n += 1) {
      const user = digests.of(users, cursor.user);
      cursor.user = digests.end;
      const high = uint32At(user, 8);
      const again = seen?.add(high) === true ? 1 : 0;
      const index = cursor.index;
      this.#put(
        uint32At(user, 4) % buckets,
        again,
        high,
        (user.charCodeAt(12) << 8) | user.charCodeAt(13),
        first + index,
        keyHashes,
        index * KEY_HASH_BYTES,
      );
      cursor.index = index + 1;
    }
    this.count += taken;
  }

  /** `high` and `low`: 32 and 16 bits of the field. */
  #put(bucket: number, again: number, high: number, low: number, serial: number, keys: Uint8Array, key: number): void {
    const group = (bucket / this.#bucketsInGroup) | 0;
    const blocks = this.#groups[group] as Uint32Array[];
    let filled = this.#filled[group] as number;
    if (filled === BLOCK_COUPONS) {
      blocks.push(new Uint32Array(BLOCK_WORDS));
      filled = 0;
    }
    const words = blocks[blocks.length - 1] as Uint32Array;
    const at = filled * WORDS;
    words[at] = (again << 31) | ((bucket - group * this.#bucketsInGroup) << 16) | (high >>> 16);
    words[at + 1] = (high << 16) | low;
    words[at + 2] = serial;
    words[at + 3] = uint32Of(keys, key);
    words[at + 4] = uint32Of(keys, key + 4);
    this.#filled[group] = filled + 1;
  }

  /** Gives out all groups, once; each is forgotten then. */
  *groups(): Generator<SortedGroup> {
    let words = new Uint32Array(0);
    for (const [group, blocks] of this.#groups.entries()) {
      const count = (blocks.length - 1) * BLOCK_COUPONS + (this.#filled[group] as number);
      if (blocks.length === 0) continue;
      if (words.length < count * WORDS) words = new Uint32Array(count * WORDS);
      const firstBucket = group * this.#bucketsInGroup;
      const inGroup = Math.min(this.#bucketsInGroup, this.#options.buckets - firstBucket);
      yield { firstBucket, words, ends: sort(blocks, count, words, inGroup) };
      this.#groups[group] = [];
    }
  }
}

/** Counts, then lays each coupon in its place; gives the ends of the buckets. */
function sort(blocks: Uint32Array[], count: number, into: Uint32Array, buckets: number): Uint32Array {
  const ends = new Uint32Array(buckets);
  const each = (visit: (block: Uint32Array, at: number, bucket: number) => void): void => {
    for (const [index, block] of blocks.entries()) {
      const end = Math.min(BLOCK_COUPONS, count - index * BLOCK_COUPONS) * WORDS;
      for (let at = 0; at < end; at += WORDS) visit(block, at, ((block[at] as number) >>> 16) & 0x7fff);
    }
  };
  each((_block, _at, bucket) => {
    ends[bucket] = (ends[bucket] as number) + 1;
  });
  let start = 0;
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const size = ends[bucket] as number;
    ends[bucket] = start;
    start += size;
  }
  each((block, at, bucket) => {
    const place = ends[bucket] as number;
    ends[bucket] = place + 1;
    for (let word = 0; word < WORDS; word += 1) into[place * WORDS + word] = block[at + word] as number;
  });
  return ends;
}

function uint32Of(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}
