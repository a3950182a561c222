import Type, { type Static } from "typebox";
import { instant, money, recordFields, resourceId, text } from "./common.ts";

const closed = { additionalProperties: false };

const fields = { name: text(200), startsAt: instant, endsAt: instant, budget: money };

/** What a campaign is created with, and replaced with. */
export const campaignBody = Type.Object(fields, closed);

/** A change of some of its fields. */
export const campaignPatch = Type.Partial(Type.Object(fields, closed), { ...closed, minProperties: 1 });

export const campaignView = Type.Object({
  campaignId: resourceId,
  ...fields,
  reserved: Type.Object(money.properties, { description: "Held by approved batches; changes without a new version" }),
  ...recordFields,
});

export type CampaignBody = Static<typeof campaignBody>;
export type CampaignPatch = Static<typeof campaignPatch>;
export type CampaignView = Static<typeof campaignView>;
