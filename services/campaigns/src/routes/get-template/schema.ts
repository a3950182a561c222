import { templateView } from "../../schemas/template.ts";
import { answers, idParams } from "../answer.ts";

export const schema = {
  summary: "Read a template; its ETag is what a change of it carries as If-Match",
  tags: ["templates"],
  params: idParams,
  response: answers(200, templateView),
};
