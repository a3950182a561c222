import { batchView } from "../../schemas/batch.ts";
import { answers, idParams } from "../answer.ts";

export const schema = {
  summary: "Read a batch; its ETag is what a change of it carries as If-Match",
  tags: ["batches"],
  params: idParams,
  response: answers(200, batchView),
};
