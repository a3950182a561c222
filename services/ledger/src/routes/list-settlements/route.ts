import type { Service } from "@coupon/service-kit";
import type { LedgerResources } from "../../resources.ts";
import { listSettlements } from "../../use-cases/list-settlements.ts";
import { answerOps, booksReaders } from "../ops-answer.ts";
import { schema } from "./schema.ts";

export function listSettlementsRoute(app: Service, resources: LedgerResources): void {
  app.get("/settlements", { schema, preHandler: booksReaders }, (request, reply) =>
    answerOps(reply, () => listSettlements(resources, request.query)),
  );
}
