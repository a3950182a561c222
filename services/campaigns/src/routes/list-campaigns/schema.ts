import { campaignView } from "../../schemas/campaign.ts";
import { pageOf, pageQuery } from "../../schemas/common.ts";
import { answers } from "../answer.ts";

export const schema = {
  summary: "List campaigns, newest first",
  tags: ["campaigns"],
  querystring: pageQuery,
  response: answers(200, pageOf(campaignView)),
};
