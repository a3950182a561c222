import type { Service } from "@coupon/service-kit";
import { Type } from "typebox";
import type { LedgerResources } from "../../resources.ts";
import { batchStats } from "../../use-cases/batch-stats.ts";
import { answerRead } from "../answer-read.ts";
import { internalHeaders, readRefusals, statsSchema } from "../schemas.ts";

const schema = {
  summary: "What a batch has come to",
  params: Type.Object({ batchNumber: Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 }) }),
  headers: internalHeaders,
  response: { 200: statsSchema, ...readRefusals },
};

export function batchStatsRoute(app: Service, resources: LedgerResources): void {
  app.get("/internal/v1/batches/:batchNumber/stats", { schema }, (request, reply) => {
    answerRead(resources, request, reply, () => batchStats(resources, request.params.batchNumber));
  });
}
