import Type from "typebox";
import { batchView } from "../../schemas/batch.ts";
import { changeHeaders, text } from "../../schemas/common.ts";
import { answers, idParams } from "../answer.ts";

export const schema = {
  tags: ["batches"],
  params: idParams,
  headers: changeHeaders,
  body: Type.Object({ reason: Type.Optional(text(500)) }, { additionalProperties: false }),
  response: answers(200, batchView),
};
