import { refusalReply, type Service } from "@coupon/service-kit";
import Type from "typebox";
import { oldestSeconds } from "../../reconciling/metrics.ts";
import type { Reconciliation } from "../../stores/reconciliations.ts";
import type { ReconcilingResources } from "../../use-cases/reconciling.ts";
import {
  answer,
  answers,
  nullable,
  proofSchema,
  readers,
  reconciliationSchema,
  viewProof,
  viewRun,
} from "../reconciliation-views.ts";

const schema = {
  summary: "What the running proof says, and the runs of the audit, newest first",
  tags: ["reconciliations"],
  querystring: Type.Object(
    {
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
      cursor: Type.Optional(Type.String({ maxLength: 128 })),
    },
    { additionalProperties: false },
  ),
  response: answers(
    200,
    Type.Object({
      proof: proofSchema,
      items: Type.Array(reconciliationSchema),
      nextCursor: nullable(Type.String()),
    }),
  ),
};

const LIMIT = 50;

export function listReconciliationsRoute(app: Service, { store, proof, batchByNumber }: ReconcilingResources): void {
  app.get("/reconciliations", { schema, preHandler: readers }, (request, reply) => {
    const { limit = LIMIT, cursor } = request.query;
    const after = cursor === undefined ? null : decodeCursor(cursor);
    if (cursor !== undefined && after === null) return refusalReply(reply, { code: "cursor_invalid" });
    const list = async () => ({ kind: "done" as const, value: await store.list(limit + 1, after) });
    const view = (rows: Reconciliation[]) => {
      const items = rows.slice(0, limit);
      const last = rows.length > limit ? items.at(-1) : undefined;
      const summary = proof();
      return {
        proof: viewProof(summary, oldestSeconds(summary, Date.now())),
        items: items.map((run) => viewRun(run, batchByNumber)),
        nextCursor: last === undefined ? null : Buffer.from(last.reconciliationId).toString("base64url"),
      };
    };
    return answer(reply, list(), view);
  });
}

function decodeCursor(cursor: string): string | null {
  const id = Buffer.from(cursor, "base64url").toString();
  return /^rec_[0-9a-f]{32}$/.test(id) ? id : null;
}
