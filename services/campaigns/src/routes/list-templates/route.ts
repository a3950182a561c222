import { refusalReply, type Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { listTemplates } from "../../stores/templates.ts";
import { done } from "../../stores/transact.ts";
import { viewTemplate } from "../../views.ts";
import { answer, pageAsk, readers } from "../answer.ts";
import { schema } from "./schema.ts";

export function listTemplatesRoute(app: Service, { prisma }: Resources): void {
  app.get("/templates", { schema, preHandler: readers }, async (request, reply) => {
    const ask = pageAsk(request.query);
    if (ask.kind === "refused") return refusalReply(reply, ask.refusal);
    return answer(reply, listTemplates(prisma, ask.result).then(done), ({ items, nextCursor }) => ({
      items: items.map(viewTemplate),
      nextCursor,
    }));
  });
}
