import { operatorOf, type Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { createTemplate } from "../../use-cases/create-template.ts";
import { viewTemplate } from "../../views.ts";
import { answer, operators } from "../answer.ts";
import { schema } from "./schema.ts";

export function createTemplateRoute(app: Service, resources: Resources): void {
  app.post("/templates", { schema, preHandler: operators }, (request, reply) =>
    answer(
      reply,
      createTemplate(resources, operatorOf(request).subject, request.body),
      viewTemplate,
      ({ templateId }) => `/ops/v1/templates/${templateId}`,
    ),
  );
}
