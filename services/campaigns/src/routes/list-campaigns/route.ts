import { refusalReply, type Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { listCampaigns } from "../../stores/campaigns.ts";
import { done } from "../../stores/transact.ts";
import { viewCampaign } from "../../views.ts";
import { answer, pageAsk, readers } from "../answer.ts";
import { schema } from "./schema.ts";

export function listCampaignsRoute(app: Service, { prisma }: Resources): void {
  app.get("/campaigns", { schema, preHandler: readers }, async (request, reply) => {
    const ask = pageAsk(request.query);
    if (ask.kind === "refused") return refusalReply(reply, ask.refusal);
    return answer(reply, listCampaigns(prisma, ask.result).then(done), ({ items, nextCursor }) => ({
      items: items.map(viewCampaign),
      nextCursor,
    }));
  });
}
