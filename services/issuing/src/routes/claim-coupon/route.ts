import { callerOf, refusalReply, type Service } from "@coupon/service-kit";
import type { CallerKey } from "../../front/callers.ts";
import { seesBatch } from "../../front/verdict.ts";
import type { IssuingResources } from "../../resources.ts";
import { claimCoupon } from "../../use-cases/claim-coupon.ts";
import { sendChange } from "../respond.ts";
import { schema } from "./schema.ts";

export function claimCouponRoute(app: Service, resources: IssuingResources): void {
  app.post("/batches/:batchId/claims", { schema }, async (request, reply) => {
    const key = callerOf<CallerKey>(request);
    const batch = resources.batches.byId(request.params.batchId);
    if (batch === undefined || !seesBatch(batch, key)) return refusalReply(reply, { code: "batch_not_found" });
    const idempotencyKey = request.headers["idempotency-key"];
    const claim = { batch, key, userId: request.body.userId, idempotencyKey };
    const result = await claimCoupon(resources, claim);
    if (result.kind === "refused") return refusalReply(reply, result.refusal);
    if (result.kind === "replayed") reply.header("idempotent-replayed", "true");
    return sendChange(reply, result.kind === "issued" ? 201 : 200, result.couponJson, result.place);
  });
}
