import type { Resources } from "../resources.ts";
import { findBatch } from "../stores/batches.ts";
import type { BatchStats } from "../stores/ledger-stats.ts";
import { type Outcome, refused } from "../stores/transact.ts";

/** What the ledger has counted of a batch. Refused: `batch_not_found`, `ledger_unavailable`. */
export async function batchStats(
  { prisma, ledger }: Resources,
  batchId: string,
): Promise<Outcome<{ batchId: string } & BatchStats>> {
  const batch = await findBatch(prisma, batchId);
  if (batch === null) return refused({ code: "batch_not_found" });
  const stats = await ledger.of(batch.batchNumber);
  return stats.kind === "refused" ? stats : { kind: "done", result: { batchId, ...stats.result } };
}
