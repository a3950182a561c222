import { callerOf, refusalReply, type Service, strictObject } from "@coupon/service-kit";
import type { CallerKey } from "../../front/callers.ts";
import type { IssuingResources } from "../../resources.ts";
import { releaseOrder } from "../../use-cases/orders.ts";
import { sendChange } from "../respond.ts";
import { changeRefusals, couponIds, orderParams, releasedSchema, userId } from "../schemas.ts";

const schema = {
  summary: "Give an order's hold back",
  params: orderParams,
  body: strictObject({ userId, couponIds }),
  response: { 200: releasedSchema, ...changeRefusals },
};

export function releaseOrderRoute(app: Service, resources: IssuingResources): void {
  app.post("/orders/:orderId/release", { schema }, async (request, reply) => {
    const { orderId } = request.params;
    const result = await releaseOrder(resources, { key: callerOf<CallerKey>(request), orderId, ...request.body });
    if (result.kind === "refused") return refusalReply(reply, result.refusal);
    return sendChange(reply, 200, JSON.stringify(result.body), result.place);
  });
}
