/** How often and how long a call is tried. */
export interface RetryPolicy {
  /** Greatest number of times that a request is sent. */
  attemptsMax: number;
  /** Bound on the whole call, waits included, in milliseconds. */
  deadlineMs: number;
  /** Bound on the first random wait; it doubles with every attempt. */
  backOffMs: number;
  /** Bound on any random wait. */
  backOffMaxMs: number;
}

export const defaultRetryPolicy: RetryPolicy = {
  attemptsMax: 6,
  deadlineMs: 30_000,
  backOffMs: 100,
  backOffMaxMs: 5_000,
};

/**
 * Milliseconds to wait after the attempt numbered `attempt` (from 1): a random part of an exponentially
 * growing bound ("full jitter"), on top of what the service asked for, so that clients that were turned
 * away together do not come back together.
 */
export function waitMs(
  policy: RetryPolicy,
  attempt: number,
  retryAfterSeconds: number | undefined,
  random: () => number,
): number {
  const bound = Math.min(policy.backOffMaxMs, policy.backOffMs * 2 ** (attempt - 1));
  return (retryAfterSeconds ?? 0) * 1000 + random() * bound;
}
