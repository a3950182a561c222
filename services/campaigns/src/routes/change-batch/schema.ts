import { batchBody, batchPatch, batchView } from "../../schemas/batch.ts";
import { changeHeaders } from "../../schemas/common.ts";
import { answers, idParams } from "../answer.ts";

const common = { tags: ["batches"], params: idParams, headers: changeHeaders, response: answers(200, batchView) };

export const putSchema = { summary: "Replace a batch's terms", ...common, body: batchBody };
export const patchSchema = { summary: "Change some of a batch's terms", ...common, body: batchPatch };
