import Type from "typebox";
import { resourceId, text } from "../../schemas/common.ts";
import { answers } from "../answer.ts";

export const schema = {
  summary: "Kill one coupon",
  tags: ["coupons"],
  params: Type.Object({ id: Type.String({ pattern: "^[0-9A-Za-z]{1,32}$" }) }),
  body: Type.Object({ reason: Type.Optional(text(256)) }, { additionalProperties: false }),
  response: answers(
    200,
    Type.Object({ couponId: Type.String(), batchId: resourceId, state: Type.Literal("deactivated") }),
  ),
};
