import { changeHeaders } from "../../schemas/common.ts";
import { templateBody, templatePatch, templateView } from "../../schemas/template.ts";
import { answers, idParams } from "../answer.ts";

const common = { tags: ["templates"], params: idParams, headers: changeHeaders, response: answers(200, templateView) };

export const putSchema = { summary: "Replace a template", ...common, body: templateBody };
export const patchSchema = { summary: "Change some fields of a template", ...common, body: templatePatch };
