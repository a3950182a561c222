import { createRequire } from "node:module";

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

const RECHECK_MS = 10;

/**
 * Stops kafkajs 2.2.4 from waking a thousand times a second per connection: after every answer it sets a
 * timer with a negative delay, which fires at once and sets the next, for as long as the connection lives
 * (tulios/kafkajs#1751; two connections took 4–5 % of a core here with nothing to do, and Node warns about
 * them). A timer is needed only while requests wait to be sent.
 */
export function calmIdleTimers(): void {
  const require = createRequire(import.meta.url);
  const { prototype } = require("kafkajs/src/network/requestQueue") as { prototype: RequestQueue };
  prototype.scheduleCheckPendingRequests = function scheduleWhilePending(this: RequestQueue) {
    if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
    const delayMs = Math.max(this.throttledUntil - Date.now(), RECHECK_MS);
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    }, delayMs);
  };
}
