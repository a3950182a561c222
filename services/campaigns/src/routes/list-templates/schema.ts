import { pageOf, pageQuery } from "../../schemas/common.ts";
import { templateView } from "../../schemas/template.ts";
import { answers } from "../answer.ts";

export const schema = {
  summary: "List templates, newest first",
  tags: ["templates"],
  querystring: pageQuery,
  response: answers(200, pageOf(templateView)),
};
