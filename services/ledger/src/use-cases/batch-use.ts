import { readBatchUse } from "@coupon/database";
import { formatInstant } from "@coupon/domain";
import type { LedgerResources } from "../resources.ts";
import { found, type Outcome, refused } from "./outcome.ts";

/**
 * What a batch has used of what was reserved for it, as of the entries applied. Taken at any time it is safe to give
 * back by: what a batch still needs only ever becomes less.
 */
export async function batchUse({ batches, pool }: LedgerResources, batchNumber: number): Promise<Outcome> {
  const definition = batches.byNumber(batchNumber);
  if (definition === undefined) return refused("batch_not_found");
  const { shards, ended, doubtfulUntilMs, ...use } = await readBatchUse(pool, batchNumber);
  const doubtfulUntil = doubtfulUntilMs === null ? null : formatInstant(doubtfulUntilMs);
  const over = shards === definition.shards && ended === shards;
  return found(JSON.stringify({ batchNumber, ended: over, ...use, doubtfulUntil }));
}
