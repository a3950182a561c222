const bucketMicroseconds = 20;
const buckets = 250_000;

/** Latencies counted in buckets of 20 µs up to 5 s, so that recording one allocates nothing. */
export class Latencies {
  readonly #counts = new Uint32Array(buckets);
  #count = 0;
  #maxMs = 0;

  record(ms: number): void {
    const bucket = Math.min(buckets - 1, Math.floor((ms * 1000) / bucketMicroseconds));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** Upper bound of the bucket that holds the given share (0 to 1) of all, in milliseconds; 0 where there are none. */
  percentileMs(share: number): number {
    const rank = Math.ceil(this.#count * share);
    let seen = 0;
    for (let bucket = 0; bucket < buckets && rank > 0; bucket += 1) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= rank) return Math.min(this.#maxMs, ((bucket + 1) * bucketMicroseconds) / 1000);
    }
    return 0;
  }
}
