import type { ManagementTransaction } from "@coupon/database/prisma";
import { type BatchAction, batchTransition, checkBatch, greatestLiability, type Refusal } from "@coupon/domain";
import type { Resources } from "../resources.ts";
import type { BatchRecord } from "../stores/batches.ts";
import { findCampaign } from "../stores/campaigns.ts";
import { findTemplate } from "../stores/templates.ts";
import type { Outcome } from "../stores/transact.ts";
import type { ChangeAsk, Decision } from "./apply-change.ts";
import { awaitInForce } from "./await-in-force.ts";
import { termsOfRecord } from "./batch-body.ts";
import { changeBatchRecord, type NextBatch } from "./batch-changes.ts";
import { withAuthor } from "./change-batch.ts";

export type Act =
  | { action: Exclude<BatchAction, "deactivate"> }
  /** `revoke` kills what the batch has issued, too; it may follow on `keep`. */
  | { action: "deactivate"; issued: "keep" | "revoke" };

/**
 * Moves a batch through its states. From the approval on, the answer is given once the new state is in force
 * on every shard; asked again for the state that the batch has, it only waits for that. Refused:
 * `batch_not_found`, `self_approval`, `precondition_required`, `precondition_failed`, `state_conflict`,
 * `budget_exceeded`, and what {@link awaitInForce} refuses.
 */
export async function actOnBatch(resources: Resources, ask: ChangeAsk, act: Act): Promise<Outcome<BatchRecord>> {
  const applied = await changeBatchRecord(resources, ask, {
    forbid: (batch) => (act.action === "approve" ? forbidOwnApproval(batch, ask.actor) : null),
    decide: (batch, tx) => decide(batch, act, ask.actor, tx),
  });
  return await awaitInForce(resources, act.action, applied);
}

function forbidOwnApproval(batch: BatchRecord, actor: string): Refusal | null {
  if (!batch.authors.includes(actor)) return null;
  return { code: "self_approval", detail: "Whoever created, changed or submitted a batch does not approve it." };
}

async function decide(
  batch: BatchRecord,
  act: Act,
  actor: string,
  tx: ManagementTransaction,
): Promise<Decision<NextBatch>> {
  if (isSoAlready(batch, act)) return { kind: "unchanged" };
  if (revokesLater(batch, act)) return { kind: "change", next: { batch: { ...batch, revoked: true } } };
  const state = batchTransition(batch.state, act.action);
  if (state === null) return conflict(`A batch that is ${batch.state} can't be asked to ${act.action}.`);
  const moved = { ...batch, state };
  switch (act.action) {
    case "submit":
      return await submit(tx, withAuthor(moved, actor));
    case "approve":
      return approve(moved, actor);
    case "reject":
      return { kind: "change", next: { batch: { ...moved, frozen: null } } };
    case "deactivate":
      return { kind: "change", next: { batch: { ...moved, revoked: act.issued === "revoke" } } };
    default:
      return { kind: "change", next: { batch: moved } };
  }
}

/** Asking for what is so is no conflict: the answer to the first time may have been lost. */
function isSoAlready({ state, revoked }: BatchRecord, act: Act): boolean {
  switch (act.action) {
    case "start":
    case "resume":
      return state === "issuing";
    case "pause":
      return state === "paused";
    case "end":
      return state === "ended";
    case "deactivate":
      return state === "deactivated" && revoked === (act.issued === "revoke");
    default:
      return false;
  }
}

/** What a batch that was deactivated had issued may be killed afterwards; what was killed stays so. */
function revokesLater({ state, revoked }: BatchRecord, act: Act): boolean {
  return state === "deactivated" && !revoked && act.action === "deactivate" && act.issued === "revoke";
}

/** Freezes the template as it is now; what was right with an older one is checked again. */
async function submit(tx: ManagementTransaction, batch: BatchRecord): Promise<Decision<NextBatch>> {
  const template = await findTemplate(tx, batch.templateId);
  const campaign = await findCampaign(tx, batch.campaignId);
  if (template === null || campaign === null) throw new Error(`batch ${batch.batchId} has no template or campaign`);
  const [fault] = checkBatch(termsOfRecord(batch), template.definition);
  if (fault !== undefined) return conflict(`With its template as it is now, ${fault.pointer} ${fault.message}.`);
  if (template.definition.benefit.currency !== campaign.budget.currency) {
    return conflict("The template's currency is not the campaign's any more.");
  }
  const frozen = { template: template.definition, version: template.version };
  return { kind: "change", next: { batch: { ...batch, frozen } } };
}

/** Reserves the most that the batch can cost. */
function approve(batch: BatchRecord, actor: string): Decision<NextBatch> {
  if (batch.frozen === null) throw new Error(`batch ${batch.batchId} was submitted without a template`);
  const { amount } = greatestLiability(batch.frozen.template, batch.stock.total);
  return { kind: "change", next: { batch: { ...batch, approvedBy: actor }, reserve: amount } };
}

const conflict = (detail: string): Decision<NextBatch> => ({
  kind: "refused",
  refusal: { code: "state_conflict", detail },
});
