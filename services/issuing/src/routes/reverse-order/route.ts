import { ITEM_ID_PATTERN, LINE_QUANTITY_MAX, ORDER_LINES_MAX } from "@coupon/domain";
import {
  callerOf,
  idempotencyKeyHeaders,
  refusalReply,
  type Service,
  strictObject,
  traceparentFor,
} from "@coupon/service-kit";
import { Type } from "typebox";
import type { CallerKey } from "../../front/callers.ts";
import type { IssuingResources } from "../../resources.ts";
import { reverseOrder } from "../../use-cases/reverse-order.ts";
import { sendChange } from "../respond.ts";
import { changeRefusals, couponIds, orderParams, reversalSchema } from "../schemas.ts";

const line = strictObject({
  lineId: Type.String({ pattern: ITEM_ID_PATTERN }),
  quantity: Type.Integer({ minimum: 1, maximum: LINE_QUANTITY_MAX }),
});

const schema = {
  summary: "Undo a redemption, in part or whole",
  params: orderParams,
  headers: idempotencyKeyHeaders,
  body: strictObject({
    lines: Type.Optional(Type.Array(line, { minItems: 1, maxItems: ORDER_LINES_MAX })),
    all: Type.Optional(Type.Literal(true)),
    couponIds: Type.Optional(couponIds),
    restoreCoupon: Type.Optional(Type.Boolean()),
    reason: Type.String({ minLength: 1, maxLength: 256 }),
  }),
  response: { 200: reversalSchema, 201: reversalSchema, ...changeRefusals },
};

export function reverseOrderRoute(app: Service, resources: IssuingResources): void {
  app.post("/orders/:orderId/reversals", { schema }, async (request, reply) => {
    const { lines, all, ...rest } = request.body;
    if ((lines === undefined) === (all === undefined)) {
      const errors = [{ pointer: "", message: "has either `lines` or `all`" }];
      return refusalReply(reply, { code: "request_invalid", errors });
    }
    const result = await reverseOrder(resources, {
      key: callerOf<CallerKey>(request),
      orderId: request.params.orderId,
      idempotencyKey: request.headers["idempotency-key"],
      ask: lines === undefined ? { all: true } : { lines },
      ...rest,
      traceparent: traceparentFor(request),
    });
    if (result.kind === "refused") return refusalReply(reply, result.refusal);
    if (result.replayed === true) reply.header("idempotent-replayed", "true");
    return sendChange(reply, result.replayed === true ? 200 : 201, JSON.stringify(result.body), result.place);
  });
}
