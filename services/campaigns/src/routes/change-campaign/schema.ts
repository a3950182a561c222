import { campaignBody, campaignPatch, campaignView } from "../../schemas/campaign.ts";
import { changeHeaders } from "../../schemas/common.ts";
import { answers, idParams } from "../answer.ts";

const common = { tags: ["campaigns"], params: idParams, headers: changeHeaders, response: answers(200, campaignView) };

export const putSchema = { summary: "Replace a campaign", ...common, body: campaignBody };
export const patchSchema = { summary: "Change some fields of a campaign", ...common, body: campaignPatch };
