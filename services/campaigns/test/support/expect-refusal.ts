import { type RefusalCode, refusals } from "@coupon/domain";
import { expect } from "vitest";
import type { Answer } from "./world.ts";

/** Expects a refusal with the status, the code and the promises that the catalogue gives it, but for `change`. */
export function expectRefusal(answer: Answer, code: RefusalCode, change: { outcome?: "unknown" } = {}): void {
  const { status, retryable, outcome } = { ...refusals[code], ...change };
  expect(answer.body).toMatchObject({ code, status, retryable, outcome });
  expect(answer.status).toBe(status);
  expect(answer.headers["content-type"]).toContain("application/problem+json");
  if (status === 503) expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
}
