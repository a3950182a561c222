import { operatorOf, type Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { createCampaign } from "../../use-cases/create-campaign.ts";
import { viewCampaign } from "../../views.ts";
import { answer, operators } from "../answer.ts";
import { schema } from "./schema.ts";

export function createCampaignRoute(app: Service, resources: Resources): void {
  app.post("/campaigns", { schema, preHandler: operators }, (request, reply) =>
    answer(
      reply,
      createCampaign(resources, operatorOf(request).subject, request.body),
      viewCampaign,
      ({ campaignId }) => `/ops/v1/campaigns/${campaignId}`,
    ),
  );
}
