import Type from "typebox";
import { batchState, batchView } from "../../schemas/batch.ts";
import { pageOf, pageQuery, resourceId } from "../../schemas/common.ts";
import { answers } from "../answer.ts";

export const schema = {
  summary: "List batches, newest first, of one campaign or in one state if asked for",
  tags: ["batches"],
  querystring: Type.Object({
    ...pageQuery.properties,
    campaignId: Type.Optional(resourceId),
    state: Type.Optional(batchState),
  }),
  response: answers(200, pageOf(batchView)),
};
