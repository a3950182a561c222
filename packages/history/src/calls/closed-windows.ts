import { type BatchDefinition, parseInstant } from "@coupon/domain";
import type { ScriptsClock } from "../history.ts";
import type { BatchBook, ShardBook } from "../log/books.ts";

/** Whether a batch may have been over when it was said to be: by its state, or by the scripts' clock. */
export function mayHaveEnded(
  versions: readonly BatchDefinition[],
  returnedMs: number,
  clock: ScriptsClock | undefined,
): boolean {
  if (clock === undefined) return true;
  const latestMs = clock.originMs + returnedMs + clock.toleranceMs;
  return versions.some(
    ({ state, issueWindow }) => state === "ended" || latestMs >= (parseInstant(issueWindow.until) ?? 0),
  );
}

/**
 * Whether some shard may not have had its rules, or not have come to its window, when that was said: a shard's time does
 * not go back, so not one that had been heard to issue in the window.
 */
export function mayNotHaveStarted(
  { shards, definition }: BatchBook,
  versions: readonly BatchDefinition[],
  calledMs: number,
): boolean {
  if (versions.some(({ state }) => state !== "issuing" && state !== "paused" && state !== "ended")) return true;
  const fromMs = Math.max(...versions.map(({ issueWindow }) => parseInstant(issueWindow.from) ?? 0));
  const hasIssued = ({ coupons }: ShardBook) =>
    coupons.some(({ returnedMs, issuedAtMs }) => returnedMs < calledMs && issuedAtMs >= fromMs);
  return shards.size < definition.shards || ![...shards.values()].every(hasIssued);
}
