import type { Service } from "@coupon/service-kit";
import { Type } from "typebox";
import type { LedgerResources } from "../../resources.ts";
import { listCoupons } from "../../use-cases/list-coupons.ts";
import { answerRead, readerOf } from "../answer-read.ts";
import { couponsSchema, readerHeaders, readRefusals, userId } from "../schemas.ts";

const states = ["pending", "effective", "locked", "redeemed", "expired", "deactivated"] as const;

const schema = {
  summary: "A user's coupons, newest first or by the end of their validity",
  params: Type.Object({ userId }),
  querystring: Type.Object(
    {
      state: Type.Optional(Type.Union(states.map((state) => Type.Literal(state)))),
      batchId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
      sort: Type.Optional(Type.Literal("validUntil")),
      limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
      cursor: Type.Optional(Type.String({ maxLength: 1_024 })),
    },
    { additionalProperties: false },
  ),
  headers: readerHeaders,
  response: { 200: couponsSchema, ...readRefusals },
};

export function listCouponsRoute(app: Service, resources: LedgerResources): void {
  app.get("/v1/users/:userId/coupons", { schema }, (request, reply) => {
    answerRead(resources, request, reply, () =>
      listCoupons(resources, readerOf(request), { userId: request.params.userId, ...request.query }),
    );
  });
}
