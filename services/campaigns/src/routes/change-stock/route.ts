import type { Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { changeStock } from "../../use-cases/change-stock.ts";
import { viewBatch } from "../../views.ts";
import { answer, changeAsk, operators } from "../answer.ts";
import { schema } from "./schema.ts";

export function changeStockRoute(app: Service, resources: Resources): void {
  app.post("/batches/:id/stock-changes", { schema, preHandler: operators }, (request, reply) => {
    const ask = changeAsk(request, request.params.id, "change_stock", request.body);
    return answer(reply, changeStock(resources, ask, request.body), viewBatch);
  });
}
