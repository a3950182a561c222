import type { ManagementTransaction } from "@coupon/database/prisma";
import { checkBatch, type Refusal } from "@coupon/domain";
import type { Resources } from "../resources.ts";
import type { BatchBody, BatchPatch } from "../schemas/batch.ts";
import type { BatchRecord } from "../stores/batches.ts";
import { findCampaign } from "../stores/campaigns.ts";
import { findTemplate } from "../stores/templates.ts";
import type { Outcome } from "../stores/transact.ts";
import type { ChangeAsk, Decision } from "./apply-change.ts";
import { awaitInForce } from "./await-in-force.ts";
import { type BatchTerms, patchTerms, termsOf, termsOfRecord } from "./batch-body.ts";
import { changeBatchRecord, type NextBatch } from "./batch-changes.ts";
import { otherCurrency } from "./create-batch.ts";
import { changedFields, lockedFields } from "./editable.ts";

export type BatchChange = { kind: "replace"; body: BatchBody } | { kind: "patch"; body: BatchPatch };

/**
 * Changes a batch's terms: all of them in a draft, later the limits of its stock, its callers and the end of
 * its window, which is answered once it is in force on every shard. Refused: `request_invalid`,
 * `batch_not_found`, `template_not_found`, `campaign_not_found`, `precondition_required`,
 * `precondition_failed`, `state_conflict`, and what {@link awaitInForce} refuses.
 */
export async function changeBatch(
  resources: Resources,
  ask: ChangeAsk,
  change: BatchChange,
): Promise<Outcome<BatchRecord>> {
  const applied = await changeBatchRecord(resources, ask, {
    decide: (batch, tx) => decide(ask.actor, batch, change, tx),
  });
  return await awaitInForce(resources, ask.action, applied);
}

async function decide(
  actor: string,
  batch: BatchRecord,
  change: BatchChange,
  tx: ManagementTransaction,
): Promise<Decision<NextBatch>> {
  const before = termsOfRecord(batch);
  const terms = nextTerms(batch, before, change);
  const changed = changedFields(before, terms);
  if (changed.length === 0) return { kind: "unchanged" };
  const locked = lockedFields(batch.state, changed);
  if (locked.length > 0) return refuse({ code: "state_conflict", detail: lockedDetail(batch, locked) });
  const refusal = await judgeTerms(tx, batch, terms);
  if (refusal !== null) return refuse(refusal);
  return { kind: "change", next: { batch: withAuthor({ ...batch, ...terms }, actor) } };
}

/** A draft is replaced as a whole; later, what a replacement leaves out stays as it is. */
function nextTerms(batch: BatchRecord, before: BatchTerms, change: BatchChange): BatchTerms {
  if (change.kind === "patch") return patchTerms(before, change.body);
  const { funding, shards, sandbox } = before;
  const kept = batch.state === "draft" ? {} : { funding, shards, sandbox };
  return termsOf({ ...kept, ...change.body });
}

async function judgeTerms(tx: ManagementTransaction, batch: BatchRecord, terms: BatchTerms): Promise<Refusal | null> {
  const template = batch.frozen?.template ?? (await findTemplate(tx, terms.templateId))?.definition ?? null;
  if (template === null) return { code: "template_not_found" };
  const campaign = await findCampaign(tx, terms.campaignId);
  if (campaign === null) return { code: "campaign_not_found" };
  const errors = checkBatch(terms, template);
  return errors.length > 0 ? { code: "request_invalid", errors } : otherCurrency(template.benefit, campaign.budget);
}

function lockedDetail({ state }: BatchRecord, locked: string[]): string {
  const hint = locked.includes("stock.total") ? " The total of the stock changes by stock-changes." : "";
  return `A batch that is ${state} does not change its ${locked.join(", ")}.${hint}`;
}

/** Until it is approved, who changes a batch is one of its authors, and may not approve it. */
export function withAuthor(batch: BatchRecord, actor: string): BatchRecord {
  const open = batch.approvedBy === null;
  return open && !batch.authors.includes(actor) ? { ...batch, authors: [...batch.authors, actor] } : batch;
}

const refuse = (refusal: Refusal): Decision<NextBatch> => ({ kind: "refused", refusal });
