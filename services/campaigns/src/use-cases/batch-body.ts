import type { BatchDescription } from "@coupon/domain";
import type { BatchBody, BatchPatch } from "../schemas/batch.ts";
import type { BatchRecord } from "../stores/batches.ts";

/** Everything of a batch that an operator states. */
export interface BatchTerms extends BatchDescription {
  funding: { party: string; basisPoints: number }[];
  callers: BatchRecord["callers"];
  shards: number;
  sandbox: boolean;
}

/** Without shares named, the platform pays for all. */
const FUNDED_BY_PLATFORM = [{ party: "platform", basisPoints: 10_000 }];

/**
 * One shard keeps micro-batches large: with 12 shards of one batch in one process claims were half as many a second.
 * Several pay where one process can't carry the batch's crowd, for then several owners share it.
 */
const SHARDS_UNLESS_TOLD = 1;

/** What was stated, with what was left open filled in. */
export function termsOf(body: BatchBody): BatchTerms {
  const { funding, shards, sandbox, issueWindow, ...rest } = body;
  return {
    ...rest,
    issueWindow: { from: normalized(issueWindow.from), until: normalized(issueWindow.until) },
    funding: funding ?? FUNDED_BY_PLATFORM,
    shards: shards ?? SHARDS_UNLESS_TOLD,
    sandbox: sandbox ?? false,
  };
}

/** The terms of a batch as it is. */
export function termsOfRecord(batch: BatchRecord): BatchTerms {
  const { campaignId, templateId, name, stock, issueWindow, callers, funding, timeZone, shards, sandbox } = batch;
  return { campaignId, templateId, name, stock, issueWindow, callers, funding, timeZone, shards, sandbox };
}

/** The fields given replace those that are there; inside `stock` and `issueWindow` likewise. */
export function patchTerms(before: BatchTerms, patch: BatchPatch): BatchTerms {
  const { stock, issueWindow, ...rest } = patch;
  const { perDay, perUserPerDay, ...limits } = { ...before.stock, ...stock };
  const window = { ...before.issueWindow, ...issueWindow };
  return {
    ...before,
    ...rest,
    stock: {
      ...limits,
      ...(perDay === null || perDay === undefined ? {} : { perDay }),
      ...(perUserPerDay === null || perUserPerDay === undefined ? {} : { perUserPerDay }),
    },
    issueWindow: { from: normalized(window.from), until: normalized(window.until) },
  };
}

/** The same instant as the database gives it back; text that names none is left for the checks to refuse. */
function normalized(instant: string): string {
  const atMs = Date.parse(instant);
  return Number.isNaN(atMs) ? instant : new Date(atMs).toISOString();
}
