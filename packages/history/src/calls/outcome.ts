import { type RefusalCode, refusals } from "@coupon/domain";
import type { Answer, OperationBase } from "../history.ts";

/** What a client knows of a request's outcome. After `unknown` it may have happened, then or later. */
export type Outcome =
  | { kind: "success"; answer: Answer }
  | { kind: "refused"; code: RefusalCode | "unnamed" }
  | { kind: "unknown" };

export function outcomeOf({ answer }: Pick<OperationBase, "answer">): Outcome {
  if (answer === null) return { kind: "unknown" };
  if (answer.status >= 200 && answer.status < 300) return { kind: "success", answer };
  return problemOutcome(answer.body);
}

/** An answer that names no known refusal promises nothing. */
export function problemOutcome(body: unknown): Outcome {
  const { code, outcome } = (typeof body === "object" && body !== null ? body : {}) as {
    code?: string;
    outcome?: string;
  };
  if (outcome !== "none" || code === undefined) return { kind: "unknown" };
  return { kind: "refused", code: code in refusals ? (code as RefusalCode) : "unnamed" };
}

/**
 * Whether a refusal stands below the mark in the table of `API.md` where a success on record is answered again.
 * Overload and what can't be read now may come before it.
 */
export function isBelowRecord(code: RefusalCode | "unnamed"): boolean {
  if (code === "unnamed") return false;
  const { status } = refusals[code];
  return (status === 409 || status === 403) && code !== "caller_quota_exhausted";
}
