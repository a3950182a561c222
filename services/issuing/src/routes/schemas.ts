import { ITEM_ID_PATTERN, LINE_CATEGORIES_MAX, LINE_QUANTITY_MAX, ORDER_LINES_MAX } from "@coupon/domain";
import { callersId, exactInteger, problemSchema, strictObject } from "@coupon/service-kit";
import { Type } from "typebox";

const itemId = Type.String({ pattern: ITEM_ID_PATTERN });

export const orderSchema = strictObject({
  amount: exactInteger(),
  currency: Type.String({ pattern: "^[A-Z]{3}$" }),
  lines: Type.Array(
    strictObject({
      lineId: itemId,
      productId: itemId,
      categoryIds: Type.Optional(Type.Array(itemId, { maxItems: LINE_CATEGORIES_MAX })),
      sellerId: Type.Optional(itemId),
      quantity: Type.Integer({ minimum: 1, maximum: LINE_QUANTITY_MAX }),
      unitAmount: exactInteger(),
    }),
    { minItems: 1, maxItems: ORDER_LINES_MAX },
  ),
});

export const orderParams = Type.Object({ orderId: callersId("Names the order within the caller") });
export const batchParams = Type.Object({ batchId: Type.String({ minLength: 1, maxLength: 128 }) });

/** One coupon an order for now. */
export const couponIds = Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 1 });
export const userId = callersId("The user, as the caller names them");

const money = Type.Object({ amount: Type.Integer(), currency: Type.String() });
const terms = Type.Object({ name: Type.String(), benefit: Type.Any(), minimumSpend: Type.Optional(money) });

export const couponSchema = Type.Object(
  {
    couponId: Type.String(),
    batchId: Type.String(),
    userId: Type.String(),
    state: Type.String(),
    sandbox: Type.Boolean(),
    terms,
    validFrom: Type.String(),
    validUntil: Type.String(),
    issuedAt: Type.String(),
  },
  { title: "Coupon" },
);

const couponDiscount = Type.Object({
  couponId: Type.String(),
  discount: Type.Integer(),
  lines: Type.Array(Type.Object({ lineId: Type.String(), discount: Type.Integer() })),
});

export const holdSchema = Type.Object(
  {
    orderId: Type.String(),
    userId: Type.String(),
    coupons: Type.Array(couponDiscount),
    discount: Type.Integer(),
    lockedUntil: Type.String(),
  },
  { title: "Hold" },
);

export const redemptionSchema = Type.Object(
  {
    orderId: Type.String(),
    userId: Type.String(),
    status: Type.String(),
    coupons: Type.Array(couponDiscount),
    discount: Type.Integer(),
    discountReversed: Type.Integer(),
    redeemedAt: Type.String(),
  },
  { title: "Redemption" },
);

const couponStates = Type.Array(Type.Object({ couponId: Type.String(), state: Type.String() }));
export const releasedSchema = Type.Object({ orderId: Type.String(), coupons: couponStates }, { title: "Released" });
export const reversalSchema = Type.Object(
  {
    reversalId: Type.String(),
    discountReversed: Type.Integer(),
    remaining: Type.Integer(),
    coupons: couponStates,
  },
  { title: "Reversal" },
);

/** What every route may answer beside its success. */
export const refusalsOf = (...statuses: number[]) =>
  Object.fromEntries(statuses.map((status) => [status, problemSchema]));
export const changeRefusals = refusalsOf(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503);
export const readRefusals = refusalsOf(400, 401, 403, 404, 500, 503);
