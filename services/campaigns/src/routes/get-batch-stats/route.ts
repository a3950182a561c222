import { type Service, traceparentFor } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { batchStats } from "../../use-cases/batch-stats.ts";
import { answer, readers } from "../answer.ts";
import { schema } from "./schema.ts";

export function getBatchStatsRoute(app: Service, resources: Resources): void {
  app.get("/batches/:id/stats", { schema, preHandler: readers }, (request, reply) =>
    answer(reply, batchStats(resources, request.params.id, traceparentFor(request)), (stats) => stats),
  );
}
