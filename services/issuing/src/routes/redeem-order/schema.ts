import { strictObject } from "@coupon/service-kit";
import { Type } from "typebox";
import { changeRefusals, couponIds, orderParams, orderSchema, redemptionSchema, userId } from "../schemas.ts";

export const schema = {
  summary: "Use coupons for an order that holds them, or with `order` in one step",
  params: orderParams,
  body: strictObject({ userId, couponIds, order: Type.Optional(orderSchema) }),
  response: { 200: redemptionSchema, ...changeRefusals },
};
