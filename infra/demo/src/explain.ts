import { StackFailure } from "@coupon/stack";

/** What to tell a person of an error: one sentence where it is a failure of the stack, its stack trace otherwise. */
export function explain(error: unknown): string {
  if (error instanceof StackFailure) return [error.message, error.detail].filter((it) => it !== "").join("\n");
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
