import { encodeLogPosition } from "@coupon/events";
import { callerOf, refusalReply, type Service } from "@coupon/service-kit";
import type { CallerKey } from "../../front/callers.ts";
import { seesBatch } from "../../front/verdict.ts";
import type { IssuingResources } from "../../resources.ts";
import { grantCoupons } from "../../use-cases/grant-coupons.ts";
import { sendText } from "../respond.ts";
import { schema } from "./schema.ts";

export function grantCouponsRoute(app: Service, resources: IssuingResources): void {
  app.post("/batches/:batchId/grants", { schema }, async (request, reply) => {
    const key = callerOf<CallerKey>(request);
    const batch = resources.batches.byId(request.params.batchId);
    if (batch === undefined || !seesBatch(batch, key)) return refusalReply(reply, { code: "batch_not_found" });
    const { text, positions } = await grantCoupons(resources, batch, key, request.body.grants);
    if (positions.size > 0) {
      const texts = [...positions].map(([partition, offset]) => encodeLogPosition(partition, offset));
      reply.header("log-position", texts.join(","));
    }
    return sendText(reply, 200, text);
  });
}
