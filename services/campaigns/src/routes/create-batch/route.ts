import { operatorOf, type Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { createBatch } from "../../use-cases/create-batch.ts";
import { viewBatch } from "../../views.ts";
import { answer, operators } from "../answer.ts";
import { schema } from "./schema.ts";

export function createBatchRoute(app: Service, resources: Resources): void {
  app.post("/batches", { schema, preHandler: operators }, (request, reply) =>
    answer(
      reply,
      createBatch(resources, operatorOf(request).subject, request.body),
      viewBatch,
      ({ batchId }) => `/ops/v1/batches/${batchId}`,
    ),
  );
}
