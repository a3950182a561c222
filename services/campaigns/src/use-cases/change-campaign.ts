import { isDeepStrictEqual } from "node:util";
import type { ManagementTransaction } from "@coupon/database/prisma";
import type { Resources } from "../resources.ts";
import type { CampaignBody, CampaignPatch } from "../schemas/campaign.ts";
import { type CampaignRecord, findCampaign, hasBatches, replaceCampaign } from "../stores/campaigns.ts";
import { done, type Outcome, refused } from "../stores/transact.ts";
import { applyChange, type ChangeAsk, type Decision } from "./apply-change.ts";
import { checkCampaign } from "./check-campaign.ts";

/**
 * Replaces a campaign, or some of its fields. The budget stays at or above what approved batches hold of
 * it, and in its currency once there are batches. Refused: `request_invalid`, `campaign_not_found`,
 * `precondition_required`, `precondition_failed`, `state_conflict`, `budget_exceeded`.
 */
export async function changeCampaign(
  resources: Resources,
  ask: ChangeAsk,
  change: CampaignBody | CampaignPatch,
): Promise<Outcome<CampaignRecord>> {
  const applied = await applyChange<CampaignRecord, CampaignRecord>(resources, ask, {
    resourceKind: "campaign",
    notFound: "campaign_not_found",
    find: (tx) => findCampaign(tx, ask.id),
    decide: (current, tx) => decide(tx, current, { ...bodyOf(current), ...change }, resources.now()),
    write: (tx, current, next) => write(tx, current, next),
    view: bodyOf,
  });
  return applied.kind === "refused" ? applied : done(applied.result.record);
}

async function decide(
  tx: ManagementTransaction,
  current: CampaignRecord,
  body: CampaignBody,
  updatedAt: Date,
): Promise<Decision<CampaignRecord>> {
  const errors = checkCampaign(body);
  if (errors.length > 0) return { kind: "refused", refusal: { code: "request_invalid", errors } };
  const { name, budget } = body;
  const dates = { startsAt: new Date(body.startsAt), endsAt: new Date(body.endsAt) };
  const next = { ...current, name, budget, ...dates };
  if (isDeepStrictEqual(next, current)) return { kind: "unchanged" };
  if (budget.currency !== current.budget.currency && (await hasBatches(tx, current.campaignId))) {
    const detail = "The campaign has batches, so its currency stays.";
    return { kind: "refused", refusal: { code: "state_conflict", detail } };
  }
  return { kind: "change", next: { ...next, version: current.version + 1, updatedAt } };
}

async function write(
  tx: ManagementTransaction,
  current: CampaignRecord,
  next: CampaignRecord,
): Promise<Outcome<CampaignRecord | null>> {
  if (await replaceCampaign(tx, current.version, next)) return done(next);
  // Only tells why nothing was written: the update above has decided.
  const now = await findCampaign(tx, current.campaignId);
  if (now?.version !== current.version) return done(null);
  const detail = `Approved batches hold ${now.reserved} of the budget, in minor units.`;
  return refused({ code: "budget_exceeded", detail });
}

function bodyOf({ name, startsAt, endsAt, budget }: CampaignRecord): CampaignBody {
  return { name, startsAt: startsAt.toISOString(), endsAt: endsAt.toISOString(), budget };
}
