import Type from "typebox";
import { batchView } from "../../schemas/batch.ts";
import { changeHeaders, text } from "../../schemas/common.ts";
import { answers, idParams } from "../answer.ts";

const total = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

export const schema = {
  summary: "Set the total of a batch's stock, if it is what the change expects",
  tags: ["batches"],
  params: idParams,
  headers: changeHeaders,
  body: Type.Object({ from: total, to: total, reason: text(500) }, { additionalProperties: false }),
  response: answers(200, batchView),
};
