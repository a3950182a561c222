import type { Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { findTemplate } from "../../stores/templates.ts";
import { viewTemplate } from "../../views.ts";
import { answer, found, readers } from "../answer.ts";
import { schema } from "./schema.ts";

export function getTemplateRoute(app: Service, { prisma }: Resources): void {
  app.get("/templates/:id", { schema, preHandler: readers }, (request, reply) =>
    answer(reply, found(findTemplate(prisma, request.params.id), "template_not_found"), viewTemplate),
  );
}
