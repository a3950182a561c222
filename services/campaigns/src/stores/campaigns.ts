import type { ManagementTransaction } from "@coupon/database/prisma";
import type { Money } from "@coupon/domain";
import type { Page, PageAsk } from "./page.ts";
import { pageArguments, toPage } from "./page.ts";

/** A campaign with what its approved batches hold of its budget. */
export interface CampaignRecord {
  campaignId: string;
  version: number;
  name: string;
  startsAt: Date;
  endsAt: Date;
  budget: Money;
  /** Minor units of the budget's currency. */
  reserved: number;
  createdBy: string;
  createdAt: Date;
  updatedAt: Date;
}

type CampaignRow = Omit<CampaignRecord, "budget" | "reserved"> & { budget: bigint; currency: string; reserved: bigint };

export async function insertCampaign(tx: ManagementTransaction, record: CampaignRecord): Promise<void> {
  const { budget, reserved, ...rest } = record;
  await tx.campaign.create({
    data: { ...rest, currency: budget.currency, budget: BigInt(budget.amount), reserved: BigInt(reserved) },
  });
}

export async function findCampaign(tx: ManagementTransaction, campaignId: string): Promise<CampaignRecord | null> {
  const row = await tx.campaign.findUnique({ where: { campaignId } });
  return row === null ? null : fromRow(row);
}

export async function listCampaigns(tx: ManagementTransaction, ask: PageAsk): Promise<Page<CampaignRecord>> {
  const rows = await tx.campaign.findMany(pageArguments("campaignId", ask, {}));
  return toPage(rows.map(fromRow), ask, ({ campaignId }) => campaignId);
}

/**
 * Replaces version `from` by the record, except for what is reserved; false where that is not the version
 * any more, or where more is reserved by now than the new budget holds.
 */
export async function replaceCampaign(tx: ManagementTransaction, from: number, next: CampaignRecord): Promise<boolean> {
  const budget = BigInt(next.budget.amount);
  const { count } = await tx.campaign.updateMany({
    where: { campaignId: next.campaignId, version: from, reserved: { lte: budget } },
    data: {
      version: next.version,
      name: next.name,
      startsAt: next.startsAt,
      endsAt: next.endsAt,
      budget,
      currency: next.budget.currency,
      updatedAt: next.updatedAt,
    },
  });
  return count === 1;
}

export async function hasBatches(tx: ManagementTransaction, campaignId: string): Promise<boolean> {
  return (await tx.batch.findFirst({ where: { campaignId }, select: { batchId: true } })) !== null;
}

function fromRow({ budget, currency, reserved, ...rest }: CampaignRow): CampaignRecord {
  return { ...rest, budget: { amount: Number(budget), currency }, reserved: Number(reserved) };
}
