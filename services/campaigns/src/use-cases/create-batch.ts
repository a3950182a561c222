import { checkBatch, type Money, type Refusal } from "@coupon/domain";
import { newId } from "../new-id.ts";
import type { Resources } from "../resources.ts";
import type { BatchBody } from "../schemas/batch.ts";
import { insertAudit } from "../stores/audits.ts";
import { type BatchRecord, insertBatch } from "../stores/batches.ts";
import { findCampaign } from "../stores/campaigns.ts";
import { findTemplate } from "../stores/templates.ts";
import { done, type Outcome, refused, transact } from "../stores/transact.ts";
import { termsOf } from "./batch-body.ts";
import { auditView } from "./batch-changes.ts";

/** Creates a batch as a draft. Refused: `template_not_found`, `campaign_not_found`, `request_invalid`. */
export async function createBatch(
  { prisma, now, settings, metrics }: Resources,
  actor: string,
  body: BatchBody,
): Promise<Outcome<BatchRecord>> {
  const terms = termsOf(body);
  const at = now();
  const created = await transact(prisma, async (tx) => {
    const template = await findTemplate(tx, terms.templateId);
    if (template === null) return refused({ code: "template_not_found" });
    const campaign = await findCampaign(tx, terms.campaignId);
    if (campaign === null) return refused({ code: "campaign_not_found" });
    const errors = checkBatch(terms, template.definition);
    if (errors.length > 0) return refused({ code: "request_invalid", errors });
    const foreign = otherCurrency(template.definition.benefit, campaign.budget);
    if (foreign !== null) return refused(foreign);
    const batch = await insertBatch(tx, {
      ...{ batchId: newId("bat", at.getTime()), version: 1, state: "draft", revoked: false, revokedAt: null, ...terms },
      ...{ couponKeyVersion: settings.couponKeyVersion, frozen: null, publishedVersion: null, confirmedVersion: null },
      ...{ decrease: null, authors: [actor], approvedBy: null, createdBy: actor, createdAt: at, updatedAt: at },
    });
    await insertAudit(tx, {
      ...{ at, actor, action: "create", request: body, resourceKind: "batch", resourceId: batch.batchId },
      ...{ version: batch.version, before: null, after: auditView(batch) },
    });
    return done(batch);
  });
  if (created.kind === "done") metrics.changes.inc({ action: "create", result: "changed" });
  return created;
}

/** A refusal where a template's benefit is not in the campaign's currency; null where it is. */
export function otherCurrency(benefit: { currency: string }, budget: Money): Refusal | null {
  if (benefit.currency === budget.currency) return null;
  const message = `gives ${benefit.currency}, and the campaign's budget is in ${budget.currency}`;
  return { code: "request_invalid", errors: [{ pointer: "/templateId", message }] };
}
