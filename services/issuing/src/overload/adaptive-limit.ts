export interface AdaptiveLimitSettings {
  initial: number;
  min: number;
  max: number;
  /** How many times its usual value a latency may be before the limit shrinks. */
  tolerance: number;
  /** A latency below this is never taken for overload. */
  latencyMsMin: number;
}

/** A window with fewer samples says too little and is continued. */
const SAMPLES_MIN = 10;
/** Of a shrinking step: with 0.2, as in Gradient2, the first seconds of an overload were served twice as slowly. */
const SMOOTHING = 0.5;
/** Shares of a window in the usual latency: with windows of 100 ms it falls within 1 s and rises within 5 or 50 s. */
const FALLS = 0.1;
const RISES = 0.02;
const RISES_WHILE_LIMITING = 0.002;

/**
 * How many requests may be under way at once, learnt from their latency: Gradient2 of Netflix' concurrency-limits
 * (`Gradient2Limit.java`; https://github.com/Netflix/concurrency-limits), a window at a time as its `WindowedLimit`.
 * gradient = clamp(tolerance × usual ÷ now, 0.5, 1); limit = limit × gradient + √limit, smoothed where it shrinks.
 *
 * Two things are not as there. The usual latency falls quickly and rises slowly, and ten times slower still while the
 * limit holds load back: otherwise a long overload makes itself the usual, and the limit creeps up. And a floor in milliseconds keeps an idle process's
 * latency, far below that of full micro-batches, from making the first burst look like overload.
 */
export class AdaptiveLimit {
  readonly #settings: AdaptiveLimitSettings;
  #limit: number;
  #usualMs = 0;
  #sumMs = 0;
  #samples = 0;

  constructor(settings: AdaptiveLimitSettings) {
    this.#settings = settings;
    this.#limit = settings.initial;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  get usualMs(): number {
    return this.#usualMs;
  }

  record(latencyMs: number): void {
    this.#sumMs += latencyMs;
    this.#samples += 1;
  }

  /**
   * Ends a window.
   *
   * @param inFlightMax most requests that were under way in it
   * @param limiting whether any was refused in it
   */
  adjust(inFlightMax: number, limiting: boolean): void {
    if (this.#samples < SAMPLES_MIN) return;
    const nowMs = this.#sumMs / this.#samples;
    this.#sumMs = 0;
    this.#samples = 0;
    this.#learn(nowMs, limiting);
    // What never came near the limit says nothing about it.
    if (inFlightMax < this.#limit / 2) return;
    const { tolerance, latencyMsMin, min, max } = this.#settings;
    const allowedMs = Math.max(latencyMsMin, tolerance * this.#usualMs);
    const gradient = Math.max(0.5, Math.min(1, allowedMs / nowMs));
    const next = this.#limit * gradient + Math.sqrt(this.#limit);
    const smoothed = next < this.#limit ? this.#limit + (next - this.#limit) * SMOOTHING : next;
    this.#limit = Math.max(min, Math.min(max, smoothed));
  }

  #learn(nowMs: number, limiting: boolean): void {
    if (this.#usualMs === 0) this.#usualMs = nowMs;
    const rises = limiting ? RISES_WHILE_LIMITING : RISES;
    this.#usualMs += (nowMs - this.#usualMs) * (nowMs < this.#usualMs ? FALLS : rises);
  }
}
