/** Waits that double from `leastMs` to `mostMs`, each shortened at random by up to half. */
export class Backoff {
  readonly #leastMs: number;
  readonly #mostMs: number;
  #nextMs: number;

  constructor(leastMs: number, mostMs: number) {
    this.#leastMs = leastMs;
    this.#mostMs = mostMs;
    this.#nextMs = leastMs;
  }

  /** The next wait in milliseconds. */
  next(): number {
    const waitMs = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(this.#nextMs * 2, this.#mostMs);
    return waitMs;
  }

  reset(): void {
    this.#nextMs = this.#leastMs;
  }
}
