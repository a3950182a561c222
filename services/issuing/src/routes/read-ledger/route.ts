import { callerOf, callersId, type Service, traceparentFor } from "@coupon/service-kit";
import { Type } from "typebox";
import type { CallerKey } from "../../front/callers.ts";
import type { IssuingResources } from "../../resources.ts";
import { sendForwarded } from "../respond.ts";
import { couponSchema, orderParams, readRefusals, userId } from "../schemas.ts";

const headers = Type.Object({
  "read-after": Type.Optional(
    Type.String({ maxLength: 4_096, description: "`Log-Position` values, joined by commas" }),
  ),
});

const getCoupon = {
  summary: "A coupon",
  params: Type.Object({ couponId: Type.String({ minLength: 1, maxLength: 64 }) }),
  querystring: Type.Object({ userId }, { additionalProperties: false }),
  headers,
  response: { 200: couponSchema, ...readRefusals },
};

const listCoupons = {
  summary: "A user's coupons, newest first or by the end of their validity",
  params: Type.Object({ userId: callersId("The user, as the caller names them") }),
  querystring: Type.Object(
    {
      state: Type.Optional(Type.String({ maxLength: 16 })),
      batchId: Type.Optional(Type.String({ maxLength: 128 })),
      sort: Type.Optional(Type.String({ maxLength: 16 })),
      limit: Type.Optional(Type.String({ maxLength: 8 })),
      cursor: Type.Optional(Type.String({ maxLength: 1_024 })),
    },
    { additionalProperties: false },
  ),
  headers,
  response: {
    200: Type.Object({ items: Type.Array(couponSchema), nextCursor: Type.Union([Type.String(), Type.Null()]) }),
    ...readRefusals,
  },
};

const getOrder = {
  summary: "One's own order: its hold, redemption and reversals",
  params: orderParams,
  headers,
  response: { 200: Type.Any({ title: "OrderState" }), ...readRefusals },
};

/** Reads that the ledger answers; the front has proven the caller and passes on who it is. */
export function readLedgerRoutes(app: Service, { ledger }: IssuingResources): void {
  const read = (path: string, schema: typeof getCoupon | typeof listCoupons | typeof getOrder) => {
    app.get(path, { schema }, async (request, reply) => {
      const caller = callerOf<CallerKey>(request);
      const readAfter = request.headers["read-after"] as string | undefined;
      const context = { readAfter, traceparent: traceparentFor(request) };
      return sendForwarded(reply, await ledger.forward(caller, request.raw.url ?? "/", context));
    });
  };
  read("/coupons/:couponId", getCoupon);
  read("/users/:userId/coupons", listCoupons);
  read("/orders/:orderId", getOrder);
}
