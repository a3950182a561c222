import type { Service } from "@coupon/service-kit";
import { Type } from "typebox";
import type { LedgerResources } from "../../resources.ts";
import { readOrder } from "../../use-cases/read-order.ts";
import { answerRead, readerOf } from "../answer-read.ts";
import { orderId, orderSchema, readerHeaders, readRefusals } from "../schemas.ts";

const schema = {
  summary: "One's own order: its hold, redemption and reversals",
  params: Type.Object({ orderId }),
  headers: readerHeaders,
  response: { 200: orderSchema, ...readRefusals },
};

export function readOrderRoute(app: Service, resources: LedgerResources): void {
  app.get("/v1/orders/:orderId", { schema }, (request, reply) => {
    answerRead(resources, request, reply, () => readOrder(resources, readerOf(request), request.params.orderId));
  });
}
