import { isUnavailable } from "@coupon/database";
import { etagOf, problemSchema, refusalReply, requireRole } from "@coupon/service-kit";
import type { FastifyReply } from "fastify";
import Type, { type TSchema } from "typebox";
import { booksKinds } from "../reconciling/audit/finding.ts";
import type { ProofSummary } from "../reconciling/proof/prover.ts";
import type { CorrectionRequest, Discrepancy, Reconciliation } from "../stores/reconciliations.ts";
import type { ReconciliationDetail, Result } from "../use-cases/reconciling.ts";

/** Whoever has a role may read. */
export const readers = requireRole("finance", "operator", "approver", "viewer");
export const proposers = requireRole("finance", "operator");
export const approvers = requireRole("approver");

export const idParams = Type.Object({ id: Type.String({ pattern: "^[\\w-]{1,64}$" }) });
export const correctionParams = Type.Object({
  id: Type.String({ pattern: "^[\\w-]{1,64}$" }),
  correctionId: Type.String({ pattern: "^[\\w-]{1,64}$" }),
});

export const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);
const instant = Type.String({ format: "date-time" });
const count = Type.Integer({ minimum: 0 });

/** `interrupted`: the process that ran it has said nothing for a while; start another one. */
export const reconciliationSchema = Type.Object({
  reconciliationId: Type.String(),
  trigger: Type.Enum(["operator", "nightly", "proof", "correction"]),
  startedBy: Type.String(),
  batchId: nullable(Type.String()),
  batchNumber: nullable(Type.Integer()),
  shard: nullable(Type.Integer()),
  state: Type.Enum(["queued", "running", "clean", "discrepant", "failed", "interrupted"]),
  createdAt: instant,
  finishedAt: nullable(instant),
  shards: count,
  coupons: count,
  found: count,
  detail: nullable(Type.String()),
});

export const correctionSchema = Type.Object({
  correctionId: Type.String(),
  reconciliationId: Type.String(),
  batchNumber: Type.Integer(),
  shard: Type.Integer(),
  stores: Type.Array(Type.Enum(["redis", "postgresql"])),
  serials: Type.Array(Type.Integer()),
  reason: Type.String(),
  state: Type.Enum(["proposed", "approved", "applied"]),
  version: Type.Integer(),
  proposedBy: Type.String(),
  proposedAt: instant,
  approvedBy: nullable(Type.String()),
  approvedAt: nullable(instant),
  number: nullable(Type.Integer()),
  derivedAtNumber: nullable(Type.Integer()),
  appliedAt: nullable(instant),
});

export const discrepancySchema = Type.Object({
  discrepancyId: Type.Integer(),
  batchNumber: Type.Integer(),
  shard: Type.Integer(),
  serial: nullable(Type.Integer()),
  couponId: nullable(Type.String()),
  store: Type.Enum(["redis", "postgresql"]),
  kind: Type.Enum(["missing", "doubled", "unexpected", "state", "facts", "counter", "shard", ...booksKinds]),
  number: Type.Integer(),
  expected: Type.Unknown(),
  found: Type.Unknown(),
  correctionId: nullable(Type.String()),
});

export const proofSchema = Type.Object({
  asOf: nullable(instant),
  shards: count,
  proven: count,
  waiting: count,
  drifting: Type.Array(
    Type.Object({
      batchNumber: Type.Integer(),
      shard: nullable(Type.Integer()),
      drifts: Type.Array(Type.String()),
    }),
  ),
  oldestSeconds: Type.Number(),
  stock: Type.Object({
    given: Type.Integer(),
    issued: Type.Integer(),
    left: Type.Integer(),
    inTransfer: Type.Integer(),
  }),
});

const INTERRUPTED_AFTER_MS = 60_000;
type BatchIds = (batch: number) => { batchId: string } | undefined;

export function viewRun(run: Reconciliation, batches: BatchIds, nowMs = Date.now()) {
  const { batch, beatAt, createdAt, finishedAt, ...rest } = run;
  const isSilent = finishedAt === null && nowMs - beatAt.getTime() > INTERRUPTED_AFTER_MS;
  return {
    ...rest,
    batchId: batch === null ? null : (batches(batch)?.batchId ?? null),
    batchNumber: batch,
    state: isSilent ? ("interrupted" as const) : rest.state,
    createdAt: createdAt.toISOString(),
    finishedAt: finishedAt?.toISOString() ?? null,
  };
}

export function viewDetail(detail: ReconciliationDetail, batches: BatchIds) {
  const { discrepancies, corrections, ...run } = detail;
  return {
    ...viewRun(run, batches),
    discrepancies: discrepancies.map(viewDiscrepancy),
    corrections: corrections.map(viewCorrection),
  };
}

function viewDiscrepancy({ batch, ...rest }: Discrepancy) {
  return { ...rest, batchNumber: batch };
}

export function viewCorrection({ batch, ...rest }: CorrectionRequest) {
  return {
    ...rest,
    batchNumber: batch,
    proposedAt: rest.proposedAt.toISOString(),
    approvedAt: rest.approvedAt?.toISOString() ?? null,
    appliedAt: rest.appliedAt?.toISOString() ?? null,
  };
}

const DRIFTING_MAX = 100;

export function viewProof(summary: ProofSummary, oldestSeconds: number) {
  const { asOfMs, shards, batches } = summary;
  const inState = (state: string) => shards.filter((each) => each.state === state).length;
  const ofShards = shards
    .filter(({ state }) => state === "drifting")
    .map(({ batch, shard, drifts }) => ({ batchNumber: batch, shard, drifts: drifts.map(told) }));
  const ofBatches = batches.flatMap(({ batch, drift }) =>
    drift === null ? [] : [{ batchNumber: batch, shard: null, drifts: [drift] }],
  );
  const stock = { given: 0, issued: 0, left: 0, inTransfer: 0 };
  for (const batch of batches) {
    for (const part of ["given", "issued", "left", "inTransfer"] as const) stock[part] += batch[part];
  }
  return {
    ...{ asOf: asOfMs === 0 ? null : new Date(asOfMs).toISOString(), shards: shards.length },
    ...{ proven: inState("proven"), waiting: inState("waiting") },
    ...{ drifting: [...ofShards, ...ofBatches].slice(0, DRIFTING_MAX), oldestSeconds, stock },
  };
}

function told({ store, counter, expected, found }: ProofSummary["shards"][number]["drifts"][number]): string {
  return `${store}: ${counter} is ${String(found)} where the log has ${String(expected)}`;
}

/** Schemas of a route's answers: its success, and problem details for everything else. */
export function answers(status: 200 | 201, body: TSchema): { [status: string]: unknown } {
  return { [status]: body, "4xx": problemSchema, "5xx": problemSchema };
}

/** Answers with what a use case gave, or its refusal. A database that is away is a refusal, too. */
export async function answer<Value>(
  reply: FastifyReply,
  outcome: Promise<Result<Value>>,
  view: (value: Value) => object,
  created?: (value: Value) => string,
): Promise<FastifyReply> {
  const settled = await outcome.catch((error: unknown): Result<Value> => {
    if (!isUnavailable(error)) throw error;
    return { kind: "refused", refusal: { code: "ledger_unavailable" } };
  });
  if (settled.kind === "refused") return refusalReply(reply, settled.refusal);
  const body = view(settled.value);
  if ("version" in body && typeof body.version === "number") reply.header("etag", etagOf(body.version));
  if (created !== undefined) reply.code(201).header("location", created(settled.value));
  return reply.send(body);
}
