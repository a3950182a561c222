import type { Service } from "@coupon/service-kit";
import Type from "typebox";
import { type ReconcilingResources, readReconciliation } from "../../use-cases/reconciling.ts";
import {
  answer,
  answers,
  correctionSchema,
  discrepancySchema,
  idParams,
  readers,
  reconciliationSchema,
  viewDetail,
} from "../reconciliation-views.ts";

const schema = {
  summary: "A run of the audit, with what it found and the corrections of it",
  tags: ["reconciliations"],
  params: idParams,
  response: answers(
    200,
    Type.Object({
      ...reconciliationSchema.properties,
      discrepancies: Type.Array(discrepancySchema),
      corrections: Type.Array(correctionSchema),
    }),
  ),
};

export function getReconciliationRoute(app: Service, resources: ReconcilingResources): void {
  app.get("/reconciliations/:id", { schema, preHandler: readers }, (request, reply) =>
    answer(reply, readReconciliation(resources, request.params.id), (detail) =>
      viewDetail(detail, resources.batchByNumber),
    ),
  );
}
