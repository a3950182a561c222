import { type BatchState, checkBatch, greatestDiscount, type Refusal } from "@coupon/domain";
import type { Resources } from "../resources.ts";
import type { BatchRecord } from "../stores/batches.ts";
import type { Outcome } from "../stores/transact.ts";
import type { ChangeAsk, Decision } from "./apply-change.ts";
import { awaitInForce } from "./await-in-force.ts";
import { termsOfRecord } from "./batch-body.ts";
import { changeBatchRecord, type NextBatch } from "./batch-changes.ts";
import { withAuthor } from "./change-batch.ts";

export interface StockChange {
  from: number;
  to: number;
  reason: string;
}

const open: ReadonlySet<BatchState> = new Set(["draft", "in_review", "approved", "issuing", "paused"]);

/**
 * Sets the total of a batch's stock if it is `from`. More stock of an approved batch reserves more of the
 * budget at once. Less is asked back from the shards, which help one another out: the budget gets its part once
 * they all gave theirs; where they have issued more than `to`, the total becomes what it was, and the answer is
 * `stock_changed`.
 * Refused: `batch_not_found`, `precondition_required`, `precondition_failed`, `state_conflict`,
 * `stock_changed`, `request_invalid`, `budget_exceeded`, and what {@link awaitInForce} refuses.
 */
export async function changeStock(
  resources: Resources,
  ask: ChangeAsk,
  change: StockChange,
): Promise<Outcome<BatchRecord>> {
  const applied = await changeBatchRecord(resources, ask, { decide: (batch) => decide(batch, change, ask.actor) });
  return await awaitInForce(resources, ask.action, applied);
}

function decide(batch: BatchRecord, { from, to }: StockChange, actor: string): Decision<NextBatch> {
  if (!open.has(batch.state)) {
    return refuse({ code: "state_conflict", detail: `A batch that is ${batch.state} does not change its stock.` });
  }
  const { stock, frozen } = batch;
  if (stock.total !== from) return refuse({ code: "stock_changed", detail: `The total is ${stock.total}.` });
  if (batch.decrease !== null) {
    const detail = "An earlier decrease is still being taken back from the shards.";
    return refuse({ code: "stock_changed", detail, retryAfterSeconds: 1 });
  }
  if (to === from) return { kind: "unchanged" };
  const next = withAuthor({ ...batch, stock: { ...stock, total: to } }, actor);
  if (frozen !== null) {
    const errors = checkBatch(termsOfRecord(next), frozen.template).map(({ pointer, message }) => ({
      pointer: "/to",
      message: `as ${pointer} ${message}`,
    }));
    if (errors.length > 0) return refuse({ code: "request_invalid", errors });
  }
  if (frozen === null || batch.publishedVersion === null) return { kind: "change", next: { batch: next } };
  if (to < from) return { kind: "change", next: { batch: next, decreaseFrom: from } };
  return { kind: "change", next: { batch: next, reserve: (to - from) * greatestDiscount(frozen.template) } };
}

const refuse = (refusal: Refusal): Decision<NextBatch> => ({ kind: "refused", refusal });
