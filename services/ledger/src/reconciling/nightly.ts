import type { Auditor } from "./audit/auditor.ts";

const CHECK_MS = 60_000;

/**
 * Starts an audit of everything once a night. Any process may be the one; the database lets a night's audit begin once.
 *
 * @param hour of the day in UTC, 0 to 23
 * @returns a function that ends it
 */
export function auditNightly(auditor: Auditor, hour: number, now: () => number): () => void {
  let begun = "";
  const check = async (): Promise<void> => {
    const date = new Date(now());
    const night = date.toISOString().slice(0, 10);
    if (date.getUTCHours() !== hour || begun === night) return;
    begun = night;
    // Where the database is away, the next check tries again.
    await auditor.start({ trigger: "nightly", startedBy: "nightly", batch: null, shard: null, night }).catch(() => {
      begun = "";
    });
  };
  const timer = setInterval(() => void check(), CHECK_MS);
  timer.unref();
  void check();
  return () => clearInterval(timer);
}
