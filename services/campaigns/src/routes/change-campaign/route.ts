import type { Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { changeCampaign } from "../../use-cases/change-campaign.ts";
import { viewCampaign } from "../../views.ts";
import { answer, changeAsk, operators } from "../answer.ts";
import { patchSchema, putSchema } from "./schema.ts";

export function changeCampaignRoute(app: Service, resources: Resources): void {
  app.put("/campaigns/:id", { schema: putSchema, preHandler: operators }, (request, reply) => {
    const ask = changeAsk(request, request.params.id, "replace", request.body);
    return answer(reply, changeCampaign(resources, ask, request.body), viewCampaign);
  });
  app.patch("/campaigns/:id", { schema: patchSchema, preHandler: operators }, (request, reply) => {
    const ask = changeAsk(request, request.params.id, "patch", request.body);
    return answer(reply, changeCampaign(resources, ask, request.body), viewCampaign);
  });
}
