import type { Resources } from "../resources.ts";
import { findBatch } from "../stores/batches.ts";
import { findCampaign } from "../stores/campaigns.ts";
import type { BatchStats } from "../stores/ledger-stats.ts";
import { done, type Outcome, refused } from "../stores/transact.ts";

/**
 * What the ledger has counted of a batch; nothing, where the batch was never published. Refused:
 * `batch_not_found`, `ledger_unavailable`.
 */
export async function batchStats(
  { prisma, ledger, now }: Resources,
  batchId: string,
  traceparent: string,
): Promise<Outcome<{ batchId: string } & BatchStats>> {
  const batch = await findBatch(prisma, batchId);
  if (batch === null) return refused({ code: "batch_not_found" });
  if (batch.publishedVersion === null) {
    const campaign = await findCampaign(prisma, batch.campaignId);
    return done({ batchId, ...nothing(campaign?.budget.currency ?? "", now()) });
  }
  const stats = await ledger.of(batch.batchNumber, traceparent);
  return stats.kind === "refused" ? stats : done({ batchId, ...stats.result });
}

function nothing(currency: string, asOf: Date): BatchStats {
  const none = { amount: 0, currency };
  return { issued: 0, redeemed: 0, reversed: 0, cost: none, liability: none, asOf: asOf.toISOString() };
}
