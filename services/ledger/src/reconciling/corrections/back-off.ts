import type { Waits } from "../attempt-until-done.ts";

/** When what has failed may be tried again: the wait is doubled from one failure to the next. */
export class BackOff {
  readonly #waits: Waits;
  readonly #failures = new Map<string, { waitMs: number; dueAtMs: number }>();

  constructor(waits: Waits) {
    this.#waits = waits;
  }

  isDue(key: string, nowMs: number): boolean {
    return nowMs >= (this.#failures.get(key)?.dueAtMs ?? nowMs);
  }

  failed(key: string, nowMs: number): void {
    const before = this.#failures.get(key);
    const waitMs = before === undefined ? this.#waits.leastMs : Math.min(2 * before.waitMs, this.#waits.mostMs);
    this.#failures.set(key, { waitMs, dueAtMs: nowMs + waitMs });
  }

  /** Forgets all but these: the rest has been done, by this process or another. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#failures.keys()) if (!keys.has(key)) this.#failures.delete(key);
  }
}
