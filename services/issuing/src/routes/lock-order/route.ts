import { checkOrder } from "@coupon/domain";
import { callerOf, refusalReply, type Service, strictObject } from "@coupon/service-kit";
import { Type } from "typebox";
import type { CallerKey } from "../../front/callers.ts";
import type { IssuingResources } from "../../resources.ts";
import { lockOrder } from "../../use-cases/orders.ts";
import { sendChange } from "../respond.ts";
import { changeRefusals, couponIds, holdSchema, orderParams, orderSchema, userId } from "../schemas.ts";

const schema = {
  summary: "Keep coupons for an order until a deadline, with the binding discount",
  params: orderParams,
  body: strictObject({
    userId,
    couponIds,
    order: orderSchema,
    holdSeconds: Type.Integer({ minimum: 10, maximum: 86_400 }),
  }),
  response: { 200: holdSchema, ...changeRefusals },
};

export function lockOrderRoute(app: Service, resources: IssuingResources): void {
  app.post("/orders/:orderId/lock", { schema }, async (request, reply) => {
    const errors = checkOrder(request.body.order, "/order");
    if (errors.length > 0) return refusalReply(reply, { code: "request_invalid", errors });
    const { orderId } = request.params;
    const result = await lockOrder(resources, { key: callerOf<CallerKey>(request), orderId, ...request.body });
    if (result.kind === "refused") return refusalReply(reply, result.refusal);
    return sendChange(reply, 200, JSON.stringify(result.body), result.place);
  });
}
