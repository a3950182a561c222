import type { Service } from "@coupon/service-kit";
import type { Resources } from "../../resources.ts";
import { findBatch } from "../../stores/batches.ts";
import { viewBatch } from "../../views.ts";
import { answer, found, readers } from "../answer.ts";
import { schema } from "./schema.ts";

export function getBatchRoute(app: Service, { prisma }: Resources): void {
  app.get("/batches/:id", { schema, preHandler: readers }, (request, reply) =>
    answer(reply, found(findBatch(prisma, request.params.id), "batch_not_found"), viewBatch),
  );
}
