import type { Entitlement, RefusalCode } from "@coupon/domain";
import type { KnownBatch } from "./batches.ts";
import type { CallerKey } from "./callers.ts";

/**
 * Whether the caller knows of the batch at all: another caller's batch, and a live batch under a sandbox
 * key or the reverse, look as if they did not exist.
 */
export function seesBatch(batch: KnownBatch, key: CallerKey): boolean {
  return batch.may.has(key.callerId) && batch.definition.sandbox === key.sandbox;
}

/** What the caller's standing says of whatever it asks; null where it may. The sandbox is where one gets to be live. */
export function standingVerdict({ caller, sandbox }: Pick<CallerKey, "caller" | "sandbox">): RefusalCode | null {
  if (caller.status === "suspended") return "caller_suspended";
  return caller.status === "not_live" && !sandbox ? "caller_not_live" : null;
}

/**
 * What the caller's standing says of an operation; null where it may. The verdict travels with the request
 * and binds only where no success is on record.
 */
export function callerVerdict(batch: KnownBatch, key: CallerKey, operation: Entitlement): RefusalCode | null {
  const standing = standingVerdict(key);
  if (standing !== null) return standing;
  return batch.may.get(key.callerId)?.has(operation) === true ? null : "operation_not_permitted";
}
