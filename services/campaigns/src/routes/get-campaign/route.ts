import type { Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { findCampaign } from "../../stores/campaigns.ts";
import { viewCampaign } from "../../views.ts";
import { answer, found, readers } from "../answer.ts";
import { schema } from "./schema.ts";

export function getCampaignRoute(app: Service, { prisma }: Resources): void {
  app.get("/campaigns/:id", { schema, preHandler: readers }, (request, reply) =>
    answer(reply, found(findCampaign(prisma, request.params.id), "campaign_not_found"), viewCampaign),
  );
}
