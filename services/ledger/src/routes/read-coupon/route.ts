import type { Service } from "@coupon/service-kit";
import { Type } from "typebox";
import type { LedgerResources } from "../../resources.ts";
import { readCoupon } from "../../use-cases/read-coupon.ts";
import { answerRead, readerOf } from "../answer-read.ts";
import { couponIdParams, couponSchema, readerHeaders, readRefusals, userId } from "../schemas.ts";

const schema = {
  summary: "A coupon",
  params: couponIdParams,
  querystring: Type.Object({ userId }, { additionalProperties: false }),
  headers: readerHeaders,
  response: { 200: couponSchema, ...readRefusals },
};

export function readCouponRoute(app: Service, resources: LedgerResources): void {
  app.get("/v1/coupons/:couponId", { schema }, (request, reply) => {
    answerRead(resources, request, reply, () =>
      readCoupon(resources, readerOf(request), { couponId: request.params.couponId, userId: request.query.userId }),
    );
  });
}
