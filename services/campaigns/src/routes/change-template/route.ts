import type { Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { changeTemplate } from "../../use-cases/change-template.ts";
import { viewTemplate } from "../../views.ts";
import { answer, changeAsk, operators } from "../answer.ts";
import { patchSchema, putSchema } from "./schema.ts";

export function changeTemplateRoute(app: Service, resources: Resources): void {
  app.put("/templates/:id", { schema: putSchema, preHandler: operators }, (request, reply) => {
    const ask = changeAsk(request, request.params.id, "replace", request.body);
    return answer(reply, changeTemplate(resources, ask, { kind: "replace", body: request.body }), viewTemplate);
  });
  app.patch("/templates/:id", { schema: patchSchema, preHandler: operators }, (request, reply) => {
    const ask = changeAsk(request, request.params.id, "patch", request.body);
    return answer(reply, changeTemplate(resources, ask, { kind: "patch", body: request.body }), viewTemplate);
  });
}
