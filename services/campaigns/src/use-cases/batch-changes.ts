import type { ManagementTransaction } from "@coupon/database/prisma";
import type { Refusal } from "@coupon/domain";
import type { Resources } from "../resources.ts";
import { type BatchRecord, definitionOf, findBatch, replaceBatch } from "../stores/batches.ts";
import { changeReservation } from "../stores/budgets.ts";
import { insertPublication } from "../stores/publications.ts";
import { done, type Outcome, refused } from "../stores/transact.ts";
import { type Applied, applyChange, type ChangeAsk, type Decision } from "./apply-change.ts";
import { termsOfRecord } from "./batch-body.ts";

/** Who the audit says has changed what nobody asked for. */
export const PLATFORM = "platform";

/** A batch as it is to become, and what else has to be so with it. */
export interface NextBatch {
  batch: BatchRecord;
  /** More money to hold of the campaign's budget, in minor units. */
  reserve?: number;
  /** A decrease of the stock to wait for: the total before it. */
  decreaseFrom?: number;
}

/** How one action judges a batch. */
export interface BatchSteps {
  forbid?(current: BatchRecord): Refusal | null;
  decide(current: BatchRecord, tx: ManagementTransaction): Decision<NextBatch> | Promise<Decision<NextBatch>>;
}

/**
 * Changes a batch if it has the version asked for: the record, its audit, what it holds of the budget and
 * what is to be published change together or not at all. Refused: `batch_not_found`, what `forbid` and
 * `decide` refuse, `precondition_required`, `precondition_failed`, `budget_exceeded`.
 */
export async function changeBatchRecord(
  resources: Resources,
  ask: ChangeAsk,
  steps: BatchSteps,
): Promise<Outcome<Applied<BatchRecord>>> {
  const applied = await applyChange<BatchRecord, NextBatch>(resources, ask, {
    ...steps,
    resourceKind: "batch",
    notFound: "batch_not_found",
    find: (tx) => findBatch(tx, ask.id),
    write: (tx, current, next) => write(tx, current, next, resources.now()),
    view: auditView,
  });
  if (applied.kind === "done") {
    resources.metrics.changes.inc({ action: ask.action, result: applied.result.changed ? "changed" : "unchanged" });
  }
  return applied;
}

/** The record that follows; from its approval on, every version of a batch is published. */
export function succeed(current: BatchRecord, next: BatchRecord, updatedAt: Date): BatchRecord {
  const version = current.version + 1;
  const published = current.publishedVersion !== null || next.state === "approved";
  const revokedAt = next.revoked && !current.revoked ? updatedAt : current.revokedAt;
  return { ...next, version, revokedAt, publishedVersion: published ? version : null, updatedAt };
}

async function write(
  tx: ManagementTransaction,
  current: BatchRecord,
  { batch, reserve, decreaseFrom }: NextBatch,
  at: Date,
): Promise<Outcome<BatchRecord | null>> {
  const next = succeed(current, batch, at);
  const decrease = decreaseFrom === undefined ? "as_is" : { from: decreaseFrom, version: next.version };
  // The batch's row is locked before the campaign's, always in this order.
  if (!(await replaceBatch(tx, current.version, next, decrease))) return done(null);
  if (reserve !== undefined && reserve !== 0 && !(await hold(tx, next, reserve, at))) {
    const detail = `The campaign's budget does not cover ${reserve} more, in minor units.`;
    return refused({ code: "budget_exceeded", detail });
  }
  await publish(tx, next, at);
  return done(decrease === "as_is" ? next : { ...next, decrease });
}

/** Changes what a submitted batch holds of its campaign's budget; false where that does not cover it. */
export async function hold(
  tx: ManagementTransaction,
  { campaignId, batchId, frozen }: BatchRecord,
  amount: number,
  at: Date,
): Promise<boolean> {
  const currency = frozen?.template.benefit.currency ?? "";
  return await changeReservation(tx, { campaignId, batchId, amount, currency, at });
}

/** Puts a batch's newest version into the outbox, if it is one that is published. */
export async function publish(tx: ManagementTransaction, batch: BatchRecord, at: Date): Promise<void> {
  if (batch.publishedVersion === null || batch.frozen === null) return;
  await insertPublication(tx, definitionOf(batch, batch.frozen.template), at);
}

/** What the audit keeps of a batch. */
export function auditView(batch: BatchRecord): object {
  const { state, revoked, frozen, authors, approvedBy } = batch;
  return { ...termsOfRecord(batch), state, revoked, templateVersion: frozen?.version ?? null, authors, approvedBy };
}
