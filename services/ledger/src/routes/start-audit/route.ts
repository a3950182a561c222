import { operatorOf, type Service } from "@coupon/service-kit";
import Type from "typebox";
import { type ReconcilingResources, startAudit } from "../../use-cases/reconciling.ts";
import { answer, answers, proposers, reconciliationSchema, viewRun } from "../reconciliation-views.ts";

const schema = {
  summary: "Start an audit: of everything, of a batch, or of one of its shards",
  tags: ["reconciliations"],
  body: Type.Object(
    {
      batchId: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
      shard: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_023 })),
    },
    { additionalProperties: false },
  ),
  response: answers(201, reconciliationSchema),
};

export function startAuditRoute(app: Service, resources: ReconcilingResources): void {
  app.post("/reconciliations", { schema, preHandler: proposers }, (request, reply) =>
    answer(
      reply,
      startAudit(resources, operatorOf(request).subject, request.body),
      (run) => viewRun(run, resources.batchByNumber),
      ({ reconciliationId }) => `/ops/v1/reconciliations/${reconciliationId}`,
    ),
  );
}
