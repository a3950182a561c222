import fc from "fast-check";
import { expect, test } from "vitest";
import { defaultRetryPolicy as policy, waitMs } from "./back-off.ts";

test("waits never less than Retry-After and never more than it and the bound", () => {
  const attempt = fc.integer({ min: 1, max: 60 });
  const seconds = fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(attempt, seconds, random, (n, retryAfter, r) => {
      const wait = waitMs(policy, n, retryAfter, () => r);
      const least = (retryAfter ?? 0) * 1000;
      expect(wait).toBeGreaterThanOrEqual(least);
      expect(wait - least).toBeLessThanOrEqual(policy.backOffMaxMs);
    }),
  );
});

test("the bound doubles until its greatest", () => {
  const bounds = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => waitMs(policy, n, undefined, () => 1));
  expect(bounds).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});
