import { campaignBody, campaignView } from "../../schemas/campaign.ts";
import { answers } from "../answer.ts";

export const schema = {
  summary: "Create a campaign",
  tags: ["campaigns"],
  body: campaignBody,
  response: answers(201, campaignView),
};
