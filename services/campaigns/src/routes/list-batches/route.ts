import { refusalReply, type Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { listBatches } from "../../stores/batches.ts";
import { done } from "../../stores/transact.ts";
import { viewBatch } from "../../views.ts";
import { answer, pageAsk, readers } from "../answer.ts";
import { schema } from "./schema.ts";

export function listBatchesRoute(app: Service, { prisma }: Resources): void {
  app.get("/batches", { schema, preHandler: readers }, async (request, reply) => {
    const ask = pageAsk(request.query);
    if (ask.kind === "refused") return refusalReply(reply, ask.refusal);
    return answer(reply, listBatches(prisma, ask.result, request.query).then(done), ({ items, nextCursor }) => ({
      items: items.map(viewBatch),
      nextCursor,
    }));
  });
}
