import { decodeCouponId } from "@coupon/domain";
import { refusalReply, type Service, strictObject } from "@coupon/service-kit";
import { Type } from "typebox";
import type { IssuingResources } from "../../resources.ts";
import { noOutcomeRefusal } from "../../use-cases/refusals.ts";

const schema = {
  summary: "Deactivate one coupon, on behalf of an operator",
  hide: true,
  params: Type.Object({ couponId: Type.String({ minLength: 1, maxLength: 64 }) }),
  body: strictObject({ reason: Type.String({ minLength: 1, maxLength: 256 }) }),
};

/** Called by campaigns alone, which has checked and audited the operator. */
export function internalDeactivateRoute(app: Service, { router, batches }: IssuingResources): void {
  app.post("/internal/v1/coupons/:couponId/deactivate", { schema }, async (request, reply) => {
    const parts = decodeCouponId(request.params.couponId);
    const batch = parts === null ? undefined : batches.byNumber(parts.batchNumber);
    if (parts === null || batch === undefined || parts.shard >= batch.definition.shards) {
      return refusalReply(reply, { code: "coupon_not_found" });
    }
    const { reason } = request.body;
    const answer = await router.submit({
      op: "deactivate",
      batch: parts.batchNumber,
      shard: parts.shard,
      request: { serial: parts.serial, couponId: request.params.couponId, reason },
    });
    if (answer.kind !== "done") return refusalReply(reply, noOutcomeRefusal(answer));
    if (answer.outcome.kind === "refused") return refusalReply(reply, { code: answer.outcome.code });
    return { couponId: request.params.couponId.toUpperCase(), batchId: batch.definition.batchId, state: "deactivated" };
  });
}
