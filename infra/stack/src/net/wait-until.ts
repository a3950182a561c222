import { setTimeout as sleep } from "node:timers/promises";

/** How long and how often {@link waitUntil} asks. */
export interface WaitOptions {
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  /** Ends the wait at once, with the signal's reason thrown. */
  readonly signal?: AbortSignal;
}

/**
 * Asks `check` until it answers something other than `undefined`, and returns that.
 * Returns `undefined` when `timeoutMs` have passed. Errors of `check` are thrown on.
 */
export async function waitUntil<T>(check: () => Promise<T | undefined>, options: WaitOptions): Promise<T | undefined> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const answer = await check();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadline) return undefined;
    await sleep(options.intervalMs ?? 50);
  }
}
