import type { Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { changeBatch } from "../../use-cases/change-batch.ts";
import { viewBatch } from "../../views.ts";
import { answer, changeAsk, operators } from "../answer.ts";
import { patchSchema, putSchema } from "./schema.ts";

export function changeBatchRoute(app: Service, resources: Resources): void {
  app.put("/batches/:id", { schema: putSchema, preHandler: operators }, (request, reply) => {
    const ask = changeAsk(request, request.params.id, "replace", request.body);
    return answer(reply, changeBatch(resources, ask, { kind: "replace", body: request.body }), viewBatch);
  });
  app.patch("/batches/:id", { schema: patchSchema, preHandler: operators }, (request, reply) => {
    const ask = changeAsk(request, request.params.id, "patch", request.body);
    return answer(reply, changeBatch(resources, ask, { kind: "patch", body: request.body }), viewBatch);
  });
}
