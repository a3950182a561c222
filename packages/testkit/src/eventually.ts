import { setTimeout as sleep } from "node:timers/promises";

/** How long and how often {@link eventually} tries. */
export interface EventuallyOptions {
  /** Default 20,000: a busy machine is slow. */
  readonly timeoutMs?: number;
  /** Default 20. */
  readonly intervalMs?: number;
}

/**
 * Runs `check` until it neither throws nor returns `false` or `undefined`, and returns what it returned.
 * After `timeoutMs` throws the last error, or one that says what the last answer was.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 20_000, intervalMs = 20 }: EventuallyOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const outcome = await attempt(check);
    if (outcome.done) return outcome.value as Exclude<T, undefined | false>;
    if (performance.now() >= deadline) {
      throw new Error(`not so after ${timeoutMs} ms: ${outcome.why}`, { cause: outcome.cause });
    }
    await sleep(intervalMs);
  }
}

type Attempt<T> = { done: true; value: T } | { done: false; why: string; cause?: unknown };

async function attempt<T>(check: () => T | Promise<T>): Promise<Attempt<T>> {
  try {
    const value = await check();
    if (value !== undefined && value !== false) return { done: true, value };
    return { done: false, why: `the check answered ${String(value)}` };
  } catch (error) {
    return { done: false, why: error instanceof Error ? error.message : String(error), cause: error };
  }
}
