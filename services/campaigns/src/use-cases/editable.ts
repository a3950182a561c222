import { isDeepStrictEqual } from "node:util";
import type { BatchState } from "@coupon/domain";
import type { BatchTerms } from "./batch-body.ts";

/** The total of the stock is changed by a compare-and-set of its own. */
const afterSubmit = ["stock.perDay", "stock.perUser", "stock.perUserPerDay", "callers", "issueWindow.until"];

/** What may be changed of a batch, as dotted names, by its state; `*` is everything. */
const editable: Record<BatchState, readonly string[]> = {
  draft: ["*"],
  in_review: afterSubmit,
  approved: afterSubmit,
  issuing: afterSubmit,
  paused: afterSubmit,
  // Nothing is issued any more, but coupons are redeemed: by whom may still change.
  ended: ["callers"],
  deactivated: [],
};

/** Names of what differs between two versions of a batch's terms. */
export function changedFields(before: BatchTerms, after: BatchTerms): string[] {
  const [left, right] = [flat(before), flat(after)];
  return Object.keys(left)
    .filter((name) => !isDeepStrictEqual(left[name], right[name]))
    .sort();
}

/** Those of the changed fields that the state does not allow to change. */
export function lockedFields(state: BatchState, changed: readonly string[]): string[] {
  const allowed = editable[state];
  return allowed.includes("*") ? [] : changed.filter((field) => !allowed.includes(field));
}

function flat({ stock, issueWindow, ...rest }: BatchTerms): Record<string, unknown> {
  return {
    ...rest,
    ...{ "stock.total": stock.total, "stock.perDay": stock.perDay },
    ...{ "stock.perUser": stock.perUser, "stock.perUserPerDay": stock.perUserPerDay },
    ...{ "issueWindow.from": issueWindow.from, "issueWindow.until": issueWindow.until },
  };
}
