import type { Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { actOnBatch } from "../../use-cases/act-on-batch.ts";
import { viewBatch } from "../../views.ts";
import { answer, changeAsk, operators } from "../answer.ts";
import { schema } from "./schema.ts";

export function deactivateBatchRoute(app: Service, resources: Resources): void {
  app.post("/batches/:id/deactivate", { schema, preHandler: operators }, (request, reply) => {
    const ask = changeAsk(request, request.params.id, "deactivate", request.body);
    const act = { action: "deactivate", issued: request.body.issued } as const;
    return answer(reply, actOnBatch(resources, ask, act), viewBatch);
  });
}
