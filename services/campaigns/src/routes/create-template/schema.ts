import { templateBody, templateView } from "../../schemas/template.ts";
import { answers } from "../answer.ts";

export const schema = {
  summary: "Create a template",
  tags: ["templates"],
  body: templateBody,
  response: answers(201, templateView),
};
