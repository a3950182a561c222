import { setTimeout as sleep } from "node:timers/promises";

export interface Waits {
  /** Between the first attempt and the second, in milliseconds; doubled from one to the next. */
  leastMs: number;
  mostMs: number;
}

/** Attempts something, once at least, until it is done or the signal ends it. What an attempt throws is a failure, too. */
export async function attemptUntilDone(
  attempt: () => Promise<boolean>,
  signal: AbortSignal,
  { leastMs, mostMs }: Waits,
): Promise<void> {
  for (let waitMs = leastMs; ; waitMs = Math.min(2 * waitMs, mostMs)) {
    if (await attempt().catch(() => false)) return;
    await sleep(waitMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
  }
}
