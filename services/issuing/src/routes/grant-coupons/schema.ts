import { IDEMPOTENCY_KEY_PATTERN } from "@coupon/domain";
import { strictObject } from "@coupon/service-kit";
import { Type } from "typebox";
import { batchParams, changeRefusals, couponSchema, userId } from "../schemas.ts";

export const schema = {
  summary: "Grant coupons of a batch to users",
  params: batchParams,
  body: strictObject({
    grants: Type.Array(strictObject({ idempotencyKey: Type.String({ pattern: IDEMPOTENCY_KEY_PATTERN }), userId }), {
      minItems: 1,
      maxItems: 1_000,
    }),
  }),
  response: {
    200: Type.Object({
      outcomes: Type.Array(
        Type.Object({
          idempotencyKey: Type.String(),
          outcome: Type.String({
            description: "issued, replayed, refused (a no) or unavailable (send that one again)",
          }),
          coupon: Type.Optional(couponSchema),
          problem: Type.Optional(Type.Any()),
        }),
      ),
    }),
    ...changeRefusals,
  },
};
