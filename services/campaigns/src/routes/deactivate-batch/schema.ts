import Type from "typebox";
import { batchView } from "../../schemas/batch.ts";
import { changeHeaders, text } from "../../schemas/common.ts";
import { answers, idParams } from "../answer.ts";

export const schema = {
  summary: "Kill a batch; with issued: revoke, at once or afterwards, also every coupon that it has issued",
  tags: ["batches"],
  params: idParams,
  headers: changeHeaders,
  body: Type.Object(
    { issued: Type.Union([Type.Literal("keep"), Type.Literal("revoke")]), reason: Type.Optional(text(500)) },
    { additionalProperties: false },
  ),
  response: answers(200, batchView),
};
