import { NAME_CHARACTERS_MAX } from "./check-template.ts";
import { ISSUED_AT_SECONDS_MAX, ISSUED_AT_SECONDS_MIN, SERIAL_MAX, SHARD_MAX } from "./coupon-id.ts";
import { Findings } from "./definition-checks.ts";
import { greatestDiscount } from "./discount.ts";
import type { FieldError } from "./field-error.ts";
import { formatInstant, parseInstant } from "./instants.ts";
import type { Entitlement, Stock, Template } from "./model.ts";
import { BASIS_POINTS_WHOLE } from "./money.ts";

export const SHARDS_MAX = SHARD_MAX + 1;
export const PER_USER_MAX = 1_000;
export const BATCH_CALLERS_MAX = 1_000;
export const FUNDING_PARTIES_MAX = 20;

/** A batch as an operator describes it. */
export interface BatchDescription {
  campaignId: string;
  templateId: string;
  name: string;
  stock: Stock;
  issueWindow: { from: string; until: string };
  callers: readonly { callerId: string; may: readonly Entitlement[] }[];
  funding?: readonly { party: string; basisPoints: number }[];
  timeZone: string;
  shards?: number;
}

/**
 * What is wrong with a batch of a checked template, after its shape and types have been checked; empty
 * where nothing is.
 *
 * @param base JSON pointer of the batch in the request, "" for the request itself
 */
export function checkBatch(
  batch: BatchDescription,
  template: Pick<Template, "benefit" | "validity">,
  base = "",
): FieldError[] {
  const findings = new Findings(base);
  findings.text("/name", batch.name, NAME_CHARACTERS_MAX);
  checkShards(findings, batch);
  checkStock(findings, batch, template);
  checkIssueWindow(findings, batch, template);
  checkCallers(findings, batch.callers);
  checkFunding(findings, batch.funding ?? []);
  findings.timeZone("/timeZone", batch.timeZone);
  return findings.errors;
}

function checkShards(findings: Findings, { shards, stock }: BatchDescription): void {
  if (shards === undefined || !findings.integer("/shards", shards, 1, SHARDS_MAX)) return;
  // A shard without stock would refuse its users from the start; a day's stock does not move between shards.
  if (shards > stock.total) findings.refuse("/shards", "is more than stock.total");
  if (stock.perDay !== undefined && shards > 1) findings.refuse("/shards", "is 1 where stock.perDay limits the day");
}

function checkStock(findings: Findings, batch: BatchDescription, template: Pick<Template, "benefit">): void {
  const { total, perDay, perUser, perUserPerDay } = batch.stock;
  const shards = Math.max(batch.shards ?? 1, 1);
  if (findings.integer("/stock/total", total, 1, SERIAL_MAX * SHARDS_MAX)) {
    if (total > SERIAL_MAX * shards) findings.refuse("/stock/total", `is more than ${SERIAL_MAX} a shard`);
    if (total * greatestDiscount(template) > Number.MAX_SAFE_INTEGER) {
      findings.refuse("/stock/total", "times the greatest discount is more than 2^53 - 1");
    }
  }
  if (perDay !== undefined) findings.integer("/stock/perDay", perDay, 1, Math.max(total, 1));
  findings.integer("/stock/perUser", perUser, 1, PER_USER_MAX);
  if (perUserPerDay !== undefined) findings.integer("/stock/perUserPerDay", perUserPerDay, 1, Math.max(perUser, 1));
}

function checkIssueWindow(
  findings: Findings,
  { issueWindow }: BatchDescription,
  { validity }: Pick<Template, "validity">,
): void {
  const window = findings.window("/issueWindow", issueWindow);
  if (window === null) return;
  const first = ISSUED_AT_SECONDS_MIN * 1_000;
  const last = ISSUED_AT_SECONDS_MAX * 1_000;
  if (window.from < first) findings.refuse("/issueWindow/from", `is before ${formatInstant(first)}`);
  if (window.until > last) findings.refuse("/issueWindow/until", `is after ${formatInstant(last)}`);
  if (!("from" in validity)) return;
  const validUntil = parseInstant(validity.until);
  if (validUntil !== null && validUntil <= window.from) {
    findings.refuse("/issueWindow/from", "is when the template's coupons are no longer valid");
  }
}

function checkCallers(findings: Findings, callers: BatchDescription["callers"]): void {
  if (callers.length > BATCH_CALLERS_MAX) findings.refuse("/callers", `has at most ${BATCH_CALLERS_MAX} callers`);
  findings.unique(
    "/callers",
    callers.map(({ callerId }) => callerId),
    "/callerId",
  );
  for (const [index, { may }] of callers.entries()) {
    if (may.length === 0) findings.refuse(`/callers/${index}/may`, "is empty");
    findings.unique(`/callers/${index}/may`, may, "");
  }
}

function checkFunding(findings: Findings, funding: NonNullable<BatchDescription["funding"]>): void {
  if (funding.length === 0) return;
  if (funding.length > FUNDING_PARTIES_MAX) findings.refuse("/funding", `has at most ${FUNDING_PARTIES_MAX} parties`);
  findings.unique(
    "/funding",
    funding.map(({ party }) => party),
    "/party",
  );
  let sum = 0;
  for (const [index, { party, basisPoints }] of funding.entries()) {
    findings.text(`/funding/${index}/party`, party, NAME_CHARACTERS_MAX);
    findings.integer(`/funding/${index}/basisPoints`, basisPoints, 1, BASIS_POINTS_WHOLE);
    sum += basisPoints;
  }
  if (sum !== BASIS_POINTS_WHOLE) findings.refuse("/funding", `adds up to ${sum} basis points, not to 10000`);
}
