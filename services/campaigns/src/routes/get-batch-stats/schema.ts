import Type from "typebox";
import { resourceId } from "../../schemas/common.ts";
import { batchStatsSchema } from "../../stores/ledger-stats.ts";
import { answers, idParams } from "../answer.ts";

export const schema = {
  summary: "What the ledger has counted of a batch",
  tags: ["batches"],
  params: idParams,
  response: answers(200, Type.Object({ batchId: resourceId, ...batchStatsSchema.properties })),
};
