import { batchBody, batchView } from "../../schemas/batch.ts";
import { answers } from "../answer.ts";

export const schema = {
  summary: "Create a batch",
  tags: ["batches"],
  body: batchBody,
  response: answers(201, batchView),
};
