import { operatorOf, type Service, traceparentFor } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { deactivateCoupon } from "../../use-cases/deactivate-coupon.ts";
import { answer, operators, refuseInvalid } from "../answer.ts";
import { schema } from "./schema.ts";

const NO_REASON = "none given";

export function deactivateCouponRoute(app: Service, resources: Resources): void {
  app.post("/coupons/:id/deactivate", { schema, preHandler: operators, attachValidation: true }, (request, reply) => {
    refuseInvalid(request);
    const couponId = request.params.id.toUpperCase();
    // There may be no body at all.
    const reason = (request.body as { reason?: string } | undefined)?.reason ?? NO_REASON;
    const ask = { couponId, reason, traceparent: traceparentFor(request) };
    return answer(reply, deactivateCoupon(resources, operatorOf(request).subject, ask), (coupon) => coupon);
  });
}
