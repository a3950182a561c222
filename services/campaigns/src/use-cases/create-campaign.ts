import { newId } from "../new-id.ts";
import type { Resources } from "../resources.ts";
import type { CampaignBody } from "../schemas/campaign.ts";
import { insertAudit } from "../stores/audits.ts";
import { type CampaignRecord, insertCampaign } from "../stores/campaigns.ts";
import { done, type Outcome, refused, transact } from "../stores/transact.ts";
import { checkCampaign } from "./check-campaign.ts";

/** Creates a campaign with its whole budget free. Refused: `request_invalid`. */
export async function createCampaign(
  { prisma, now }: Resources,
  actor: string,
  body: CampaignBody,
): Promise<Outcome<CampaignRecord>> {
  const errors = checkCampaign(body);
  if (errors.length > 0) return refused({ code: "request_invalid", errors });
  const at = now();
  const record: CampaignRecord = {
    campaignId: newId("cmp", at.getTime()),
    version: 1,
    ...{ name: body.name, startsAt: new Date(body.startsAt), endsAt: new Date(body.endsAt) },
    ...{ budget: body.budget, reserved: 0, createdBy: actor, createdAt: at, updatedAt: at },
  };
  return await transact(prisma, async (tx) => {
    await insertCampaign(tx, record);
    await insertAudit(tx, {
      ...{ at, actor, action: "create", request: body, resourceKind: "campaign", resourceId: record.campaignId },
      ...{ version: record.version, before: null, after: body },
    });
    return done(record);
  });
}
