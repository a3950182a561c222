import type { Service } from "@coupon/service-kit";
import { Type } from "typebox";
import type { LedgerResources } from "../../resources.ts";
import { readOrderCoupons } from "../../use-cases/read-order.ts";
import { answerRead } from "../answer-read.ts";
import { internalHeaders, orderCouponsSchema, orderId, readRefusals } from "../schemas.ts";

const schema = {
  summary: "Coupons that a caller's order has redeemed, for a reversal that does not name them",
  params: Type.Object({ orderId }),
  querystring: Type.Object(
    {
      callerId: Type.String({ minLength: 1, maxLength: 128 }),
      sandbox: Type.Optional(Type.Boolean({ description: "Whether the caller's key is of the sandbox" })),
    },
    { additionalProperties: false },
  ),
  headers: internalHeaders,
  response: { 200: orderCouponsSchema, ...readRefusals },
};

export function orderCouponsRoute(app: Service, resources: LedgerResources): void {
  app.get("/internal/v1/orders/:orderId/coupons", { schema }, (request, reply) => {
    const { callerId, sandbox } = request.query;
    const reader = { callerId, sandbox: sandbox ?? null, refusal: null };
    answerRead(resources, request, reply, () => readOrderCoupons(resources, reader, request.params.orderId));
  });
}
