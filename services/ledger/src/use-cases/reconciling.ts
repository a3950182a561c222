import type { BatchDefinition, DerivedStore, Refusal, RefusalCode } from "@coupon/domain";
import { matches, parseIfMatch } from "@coupon/service-kit";
import type { Auditor } from "../reconciling/audit/auditor.ts";
import { booksKinds, type FindingKind } from "../reconciling/audit/finding.ts";
import type { Corrector } from "../reconciling/corrections/corrector.ts";
import type { ProofSummary } from "../reconciling/proof/prover.ts";
import type { CorrectionRequest, Discrepancy, Reconciliation, Reconciliations } from "../stores/reconciliations.ts";

/** What the routes of reconciliation work with. */
export interface ReconcilingResources {
  store: Reconciliations;
  auditor: Auditor;
  corrector: Corrector;
  /** What the running proof says in this process. */
  proof: () => ProofSummary;
  batchByNumber: (batch: number) => BatchDefinition | undefined;
  batchById: (batchId: string) => BatchDefinition | undefined;
}

export type Result<Value> = { kind: "done"; value: Value } | { kind: "refused"; refusal: Refusal };

const done = <Value>(value: Value): Result<Value> => ({ kind: "done", value });
const refused = (code: RefusalCode, detail?: string): Result<never> => ({
  kind: "refused",
  refusal: { code, ...(detail === undefined ? {} : { detail }) },
});

/** Starts an audit. Refused: `batch_not_found`; `overloaded` where too many wait already. */
export async function startAudit(
  { auditor, batchById }: ReconcilingResources,
  startedBy: string,
  ask: { batchId?: string; shard?: number },
): Promise<Result<Reconciliation>> {
  const definition = ask.batchId === undefined ? undefined : batchById(ask.batchId);
  if (ask.batchId !== undefined && definition === undefined) return refused("batch_not_found");
  if (ask.shard !== undefined && (definition === undefined || ask.shard >= definition.shards)) {
    return refused("request_invalid", "A shard is one of a batch that is named, and it has no such shard.");
  }
  const batch = definition?.batchNumber ?? null;
  const run = await auditor.start({ trigger: "operator", startedBy, batch, shard: ask.shard ?? null });
  return run === null ? refused("overloaded", "Too many audits wait already.") : done(run);
}

export interface ReconciliationDetail extends Reconciliation {
  discrepancies: Discrepancy[];
  corrections: CorrectionRequest[];
}

/** Refused: `reconciliation_not_found`. */
export async function readReconciliation(
  { store }: ReconcilingResources,
  id: string,
): Promise<Result<ReconciliationDetail>> {
  const run = await store.find(id);
  if (run === null) return refused("reconciliation_not_found");
  const [discrepancies, corrections] = await Promise.all([store.discrepancies(id), store.corrections(id)]);
  return done({ ...run, discrepancies, corrections });
}

const SERIALS_MAX = 1_000;
const isOfBooks = (kind: FindingKind): boolean => booksKinds.some((each) => each === kind);

/**
 * Proposes to derive anew what discrepancies name: all of one shard. Refused: `reconciliation_not_found`;
 * `request_invalid` where the discrepancies are not of this reconciliation, or of several shards or stores; `state_conflict`
 * where one of them has a correction already, or none can be derived.
 */
export async function proposeCorrection(
  resources: ReconcilingResources,
  id: string,
  proposedBy: string,
  ask: { discrepancyIds: number[]; reason: string },
): Promise<Result<CorrectionRequest>> {
  const read = await readReconciliation(resources, id);
  if (read.kind === "refused") return read;
  const wanted = new Set(ask.discrepancyIds);
  const chosen = read.value.discrepancies.filter(({ discrepancyId }) => wanted.has(discrepancyId));
  const [first] = chosen;
  if (first === undefined || chosen.length !== wanted.size) {
    return refused("request_invalid", "Not all of the discrepancies are of this reconciliation.");
  }
  const { batch, shard } = first;
  if (chosen.some((each) => each.batch !== batch || each.shard !== shard)) {
    return refused("request_invalid", "A correction is an entry of one shard: name discrepancies of one shard only.");
  }
  const because = notRepairable(chosen, read.value.discrepancies);
  if (because !== null) return refused("state_conflict", because);
  const serials = [...new Set(chosen.flatMap(({ kind, serial }) => (isOfBooks(kind) ? [] : (serial ?? []))))];
  if (serials.length > 0 && chosen.some(({ kind }) => isOfBooks(kind))) {
    return refused("request_invalid", "A correction is of coupons, or of the shard's counters and books.");
  }
  if (serials.length > SERIALS_MAX) return refused("request_invalid", `At most ${SERIALS_MAX} coupons at a time.`);
  const stores: DerivedStore[] = [...new Set(chosen.map(({ store }) => store))];
  // Redis is built from PostgreSQL's rows, so these come first, in an entry of their own.
  if (stores.length > 1) return refused("request_invalid", "One store at a time, and PostgreSQL before Redis.");
  const what = { batch, shard, stores, serials, reason: ask.reason };
  const request = { reconciliationId: id, ...what, proposedBy, discrepancyIds: [...wanted] };
  const proposed = await resources.store.propose(request);
  if (proposed !== null) return done(proposed);
  return refused("state_conflict", "One of the discrepancies has a correction already; audit again after it.");
}

/** Why a correction of these would put nothing right; null where it would. */
function notRepairable(chosen: Discrepancy[], all: Discrepancy[]): string | null {
  if (chosen.some(({ kind, expected }) => kind === "shard" && memberOf(expected, "partition") === undefined)) {
    return "Rows of a shard of which neither the log nor PostgreSQL has anything are found only: no entry could carry a correction.";
  }
  if (!chosen.some(({ kind }) => kind === "posting" || kind === "balance")) return null;
  const ofShard = all.filter(({ batch, shard }) => batch === chosen[0]?.batch && shard === chosen[0].shard);
  const repairs = ofShard.filter(({ kind }) => kind === "posting").map(({ found }) => memberOf(found, "repair"));
  if (repairs.includes("none")) {
    return "Lines of this shard's journal are wrong of which the log does not tell what they must be: nothing can be posted.";
  }
  const agrees = !ofShard.some(({ kind, expected }) => kind === "books" && memberOf(expected, "account") !== undefined);
  if (agrees || !repairs.includes("inferred")) return null;
  return "What this shard's lines must be can't be told: set right by each other they don't come to what the coupons say.";
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/**
 * Approves a proposal, by another person than its author, and has it written into the shard's log. Refused:
 * `correction_not_found`, `precondition_required`, `precondition_failed`, `self_approval`; `state_conflict` where it has
 * been approved by somebody else, or where Redis is to be built from rows that are known to be wrong;
 * `shard_recovering` with an unknown outcome where the entry could not be confirmed: it is sent again by itself.
 */
export async function approveCorrection(
  resources: ReconcilingResources,
  ids: { id: string; correctionId: string },
  approvedBy: string,
  { ifMatch, traceparent }: { ifMatch: string | undefined; traceparent: string },
): Promise<Result<CorrectionRequest>> {
  const read = await readReconciliation(resources, ids.id);
  if (read.kind === "refused") return read;
  const correction = read.value.corrections.find(({ correctionId }) => correctionId === ids.correctionId);
  if (correction === undefined) return refused("correction_not_found");
  if (correction.proposedBy === approvedBy) return refused("self_approval");
  // Asked again by the same person: its first success.
  if (correction.approvedBy === approvedBy) return done(correction);
  const precondition = parseIfMatch(ifMatch);
  if (precondition === null) return refused("precondition_required");
  if (!matches(precondition, correction.version)) return refused("precondition_failed");
  if (correction.state !== "proposed") return refused("state_conflict", "Somebody else has approved it.");
  if (correction.stores.includes("redis") && leavesRows(read.value, correction)) {
    const detail = "Redis is built from PostgreSQL, which differs from the log itself: correct that first.";
    return refused("state_conflict", detail);
  }
  const approved = await resources.store.approve(correction.correctionId, correction.version, approvedBy);
  if (approved === null) return refused("precondition_failed");
  // Not confirmed: the corrector sends it again until it is in the log.
  await resources.corrector.send(approved, traceparent);
  return done(approved);
}

/** Whether PostgreSQL's rows of the shard would stay wrong when Redis is built from them. */
function leavesRows({ discrepancies, corrections }: ReconciliationDetail, correction: CorrectionRequest): boolean {
  const settled = new Set(
    corrections.filter(({ state }) => state === "applied").map(({ correctionId }) => correctionId),
  );
  return discrepancies.some(
    ({ store, kind, batch, shard, correctionId }) =>
      store === "postgresql" &&
      // Redis has nothing of money.
      (!isOfBooks(kind) || kind === "transfer") &&
      batch === correction.batch &&
      shard === correction.shard &&
      (correctionId === null || !settled.has(correctionId)),
  );
}
