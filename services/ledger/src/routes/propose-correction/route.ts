import { operatorOf, type Service } from "@coupon/service-kit";
import Type from "typebox";
import { proposeCorrection, type ReconcilingResources } from "../../use-cases/reconciling.ts";
import { answer, answers, correctionSchema, idParams, proposers, viewCorrection } from "../reconciliation-views.ts";

const schema = {
  summary: "Propose a correction of what an audit found",
  tags: ["reconciliations"],
  params: idParams,
  body: Type.Object(
    {
      discrepancyIds: Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 1_000, uniqueItems: true }),
      reason: Type.String({ minLength: 1, maxLength: 256 }),
    },
    { additionalProperties: false },
  ),
  response: answers(201, correctionSchema),
};

export function proposeCorrectionRoute(app: Service, resources: ReconcilingResources): void {
  app.post("/reconciliations/:id/corrections", { schema, preHandler: proposers }, (request, reply) => {
    const { id } = request.params;
    return answer(
      reply,
      proposeCorrection(resources, id, operatorOf(request).subject, request.body),
      viewCorrection,
      ({ correctionId }) => `/ops/v1/reconciliations/${id}/corrections/${correctionId}`,
    );
  });
}
