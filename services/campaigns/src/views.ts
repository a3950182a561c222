import type { BatchView } from "./schemas/batch.ts";
import type { CampaignView } from "./schemas/campaign.ts";
import type { TemplateView } from "./schemas/template.ts";
import type { BatchRecord } from "./stores/batches.ts";
import type { CampaignRecord } from "./stores/campaigns.ts";
import type { TemplateRecord } from "./stores/templates.ts";
import { termsOfRecord } from "./use-cases/batch-body.ts";

interface History {
  version: number;
  createdBy: string;
  createdAt: Date;
  updatedAt: Date;
}

function historyOf({ version, createdBy, createdAt, updatedAt }: History) {
  return { version, createdBy, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}

export function viewTemplate(record: TemplateRecord): TemplateView {
  return { templateId: record.templateId, ...record.definition, ...historyOf(record) };
}

export function viewCampaign(record: CampaignRecord): CampaignView {
  const { campaignId, name, startsAt, endsAt, budget, reserved } = record;
  return {
    ...{ campaignId, name, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString(), budget },
    reserved: { amount: reserved, currency: budget.currency },
    ...historyOf(record),
  };
}

export function viewBatch(record: BatchRecord): BatchView {
  const { batchId, batchNumber, state, revoked, revokedAt, frozen, authors, approvedBy } = record;
  const { version, confirmedVersion } = record;
  return {
    ...{ batchId, batchNumber, ...termsOfRecord(record), state, revoked, authors },
    ...(revokedAt === null ? {} : { revokedAt: revokedAt.toISOString() }),
    ...(frozen === null ? {} : { template: frozen.template, templateVersion: frozen.version }),
    ...(approvedBy === null ? {} : { approvedBy }),
    inForce: record.publishedVersion !== null && confirmedVersion !== null && confirmedVersion >= version,
    ...historyOf(record),
  };
}
