import { checkOrder } from "@coupon/domain";
import { callerOf, refusalReply, type Service } from "@coupon/service-kit";
import type { CallerKey } from "../../front/callers.ts";
import type { IssuingResources } from "../../resources.ts";
import { redeemOrder } from "../../use-cases/orders.ts";
import { sendChange } from "../respond.ts";
import { schema } from "./schema.ts";

export function redeemOrderRoute(app: Service, resources: IssuingResources): void {
  app.post("/orders/:orderId/redeem", { schema }, async (request, reply) => {
    const { order } = request.body;
    const errors = order === undefined ? [] : checkOrder(order, "/order");
    if (errors.length > 0) return refusalReply(reply, { code: "request_invalid", errors });
    const { orderId } = request.params;
    const result = await redeemOrder(resources, { key: callerOf<CallerKey>(request), orderId, ...request.body });
    if (result.kind === "refused") return refusalReply(reply, result.refusal);
    return sendChange(reply, 200, JSON.stringify(result.body), result.place);
  });
}
