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

/**
 * What the caller's standing says of an operation; null where it may. The verdict travels with the request
 * and binds only where no success is on record.
 */
export function callerVerdict(batch: KnownBatch, key: CallerKey, operation: Entitlement): RefusalCode | null {
  if (key.caller.status === "suspended") return "caller_suspended";
  if (key.caller.status === "not_live") return "caller_not_live";
  return batch.may.get(key.callerId)?.has(operation) === true ? null : "operation_not_permitted";
}
