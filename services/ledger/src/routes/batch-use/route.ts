import { exactInteger, type Service } from "@coupon/service-kit";
import { Type } from "typebox";
import type { LedgerResources } from "../../resources.ts";
import { batchUse } from "../../use-cases/batch-use.ts";
import { answerRead } from "../answer-read.ts";
import { internalHeaders, readRefusals } from "../schemas.ts";

const schema = {
  summary: "What a batch has used of what was reserved for it",
  params: Type.Object({ batchNumber: Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 }) }),
  headers: internalHeaders,
  response: {
    200: Type.Object({
      batchNumber: Type.Integer(),
      ended: Type.Boolean({ description: "Whether nothing is issued any more, on any shard" }),
      issued: exactInteger(),
      open: exactInteger({ description: "Coupons that may be redeemed, now or again after a reversal" }),
      overCost: exactInteger({ description: "What the coupons that are over have cost" }),
      spent: exactInteger(),
      outstanding: exactInteger({ description: "What the coupons that are out may yet take off" }),
      waiting: exactInteger({ description: "Coupons that are not over yet" }),
      doubtfulUntil: Type.Union([Type.String(), Type.Null()], {
        description: "An entry of any shard from this instant on makes its expiries certain; null where they are",
      }),
    }),
    ...readRefusals,
  },
};

export function batchUseRoute(app: Service, resources: LedgerResources): void {
  app.get("/internal/v1/batches/:batchNumber/use", { schema }, (request, reply) => {
    answerRead(resources, request, reply, () => batchUse(resources, request.params.batchNumber));
  });
}
