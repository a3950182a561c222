import type { ManagementTransaction } from "@coupon/database/prisma";

/** A change of what a batch holds of its campaign's budget, in minor units: more, or less where negative. */
export interface ReservationChange {
  campaignId: string;
  batchId: string;
  amount: number;
  currency: string;
  at: Date;
}

/**
 * Reserves more of the budget, or gives some back, by one conditional update: concurrent approvals queue
 * on the campaign's row and each sees what those before it have left. False, with nothing changed, where
 * the budget does not cover it, or is in another currency.
 */
export async function changeReservation(tx: ManagementTransaction, change: ReservationChange): Promise<boolean> {
  const amount = BigInt(change.amount);
  // A sum beyond bigint would be an error: what is left is compared with what is asked, not the sum.
  const covered = await tx.$executeRaw`
    UPDATE management.campaign SET reserved = reserved + ${amount}
    WHERE campaign_id = ${change.campaignId} AND currency = ${change.currency} AND ${amount} <= budget - reserved`;
  if (covered !== 1) return false;
  const { batchId, campaignId, at } = change;
  const data = { amount: { increment: amount }, updatedAt: at };
  const { count } = await tx.budgetReservation.updateMany({ where: { batchId }, data });
  if (count === 0) await tx.budgetReservation.create({ data: { batchId, campaignId, amount, updatedAt: at } });
  return true;
}

/** Batches that hold something of their budgets, by their ids, from the one after `after` on. */
export async function batchesHolding(tx: ManagementTransaction, after: string, limit: number): Promise<string[]> {
  const rows = await tx.budgetReservation.findMany({
    where: { batchId: { gt: after }, amount: { gt: 0 } },
    orderBy: { batchId: "asc" },
    take: limit,
    select: { batchId: true },
  });
  return rows.map(({ batchId }) => batchId);
}

/** What a batch holds of its campaign's budget, in minor units. */
export async function reservedFor(tx: ManagementTransaction, batchId: string): Promise<number> {
  const row = await tx.budgetReservation.findUnique({ where: { batchId } });
  return Number(row?.amount ?? 0);
}
