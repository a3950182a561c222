import { idempotencyKeyHeaders, strictObject } from "@coupon/service-kit";
import { Type } from "typebox";
import { batchParams, changeRefusals, couponSchema, userId } from "../schemas.ts";

const text = (maxLength: number) => Type.Optional(Type.String({ minLength: 1, maxLength }));

export const schema = {
  summary: "Claim a coupon of a batch for a user",
  params: batchParams,
  headers: idempotencyKeyHeaders,
  body: strictObject({
    userId,
    /** What the risk rules may look at. */
    context: Type.Optional(
      strictObject({ ip: text(64), deviceId: text(256), userAgent: text(1_024), channel: text(64) }),
    ),
  }),
  response: { 200: couponSchema, 201: couponSchema, ...changeRefusals },
};
