import { operatorOf, type Service, traceparentFor } from "@coupon/service-kit";
import { approveCorrection, type ReconcilingResources } from "../../use-cases/reconciling.ts";
import {
  answer,
  answers,
  approvers,
  correctionParams,
  correctionSchema,
  viewCorrection,
} from "../reconciliation-views.ts";

const schema = {
  summary: "Approve a correction that another person has proposed",
  tags: ["reconciliations"],
  params: correctionParams,
  response: answers(200, correctionSchema),
};

export function approveCorrectionRoute(app: Service, resources: ReconcilingResources): void {
  app.post(
    "/reconciliations/:id/corrections/:correctionId/approve",
    { schema, preHandler: approvers },
    (request, reply) =>
      answer(
        reply,
        approveCorrection(resources, request.params, operatorOf(request).subject, {
          ifMatch: request.headers["if-match"],
          traceparent: traceparentFor(request),
        }),
        viewCorrection,
      ),
  );
}
