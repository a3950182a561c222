import { campaignView } from "../../schemas/campaign.ts";
import { answers, idParams } from "../answer.ts";

export const schema = {
  summary: "Read a campaign; its ETag is what a change of it carries as If-Match",
  tags: ["campaigns"],
  params: idParams,
  response: answers(200, campaignView),
};
