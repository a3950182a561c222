import type { Service } from "@coupon/service-kit";
import type { LedgerResources } from "../../resources.ts";
import { listPostings } from "../../use-cases/list-postings.ts";
import { answerOps, booksReaders } from "../ops-answer.ts";
import { schema } from "./schema.ts";

export function listPostingsRoute(app: Service, resources: LedgerResources): void {
  app.get("/postings", { schema, preHandler: booksReaders }, (request, reply) =>
    answerOps(reply, () => listPostings(resources, request.query)),
  );
}
