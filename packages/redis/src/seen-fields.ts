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
