import { callersId, exactInteger, problemSchema } from "@coupon/service-kit";
import { Type } from "typebox";

const readAfter = Type.Optional(
  Type.String({ maxLength: 8_192, description: "`Log-Position` values, joined by commas; waits for at most 2 s" }),
);

/** Headers of a read on behalf of a caller, whom the front has proven. */
export const readerHeaders = Type.Object({
  "x-caller-id": Type.String({ minLength: 1, maxLength: 128 }),
  "x-caller-sandbox": Type.Optional(Type.Boolean({ description: "Whether the caller's key is of the sandbox" })),
  "x-caller-refusal": Type.Optional(
    Type.Enum(["caller_suspended", "caller_not_live"], {
      description: "Why the caller may read nothing of what there is",
    }),
  ),
  "read-after": readAfter,
});
export const internalHeaders = Type.Object({ "read-after": readAfter });

export const couponIdParams = Type.Object({ couponId: Type.String({ minLength: 1, maxLength: 64 }) });
export const userId = callersId("The user, as the caller names them");
export const orderId = callersId("Names the order within the caller");

const money = Type.Object({ amount: Type.Integer(), currency: Type.String() });

export const couponSchema = Type.Object(
  {
    couponId: Type.String(),
    batchId: Type.String(),
    userId: Type.String(),
    state: Type.String(),
    sandbox: Type.Boolean(),
    terms: Type.Object({ name: Type.String(), benefit: Type.Any(), minimumSpend: Type.Optional(money) }),
    validFrom: Type.String(),
    validUntil: Type.String(),
    issuedAt: Type.String(),
  },
  { title: "Coupon" },
);

export const couponsSchema = Type.Object({
  items: Type.Array(couponSchema),
  nextCursor: Type.Union([Type.String(), Type.Null()]),
});

const couponDiscounts = Type.Array(
  Type.Object({
    couponId: Type.String(),
    discount: Type.Integer(),
    lines: Type.Array(Type.Object({ lineId: Type.String(), discount: Type.Integer() })),
  }),
);

export const orderSchema = Type.Object({
  orderId: Type.String(),
  hold: Type.Optional(
    Type.Object({
      orderId: Type.String(),
      userId: Type.String(),
      coupons: couponDiscounts,
      discount: Type.Integer(),
      lockedUntil: Type.String(),
    }),
  ),
  redemption: Type.Optional(
    Type.Object({
      orderId: Type.String(),
      userId: Type.String(),
      status: Type.String(),
      coupons: couponDiscounts,
      discount: Type.Integer(),
      discountReversed: Type.Integer(),
      redeemedAt: Type.String(),
    }),
  ),
  reversals: Type.Array(
    Type.Object({
      reversalId: Type.String(),
      discountReversed: Type.Integer(),
      remaining: Type.Integer(),
      coupons: Type.Array(Type.Object({ couponId: Type.String(), state: Type.String() })),
    }),
  ),
});

export const orderCouponsSchema = Type.Object({
  orderId: Type.String(),
  coupons: Type.Array(Type.Object({ couponId: Type.String(), userId: Type.String() })),
  caughtUp: Type.Boolean({
    description: "False: the log holds more than has been applied, so an order without coupons may have some",
  }),
});

export const statsSchema = Type.Object({
  batchNumber: exactInteger(),
  issued: exactInteger(),
  redeemed: exactInteger({ description: "Redemptions, also those reversed since" }),
  reversed: exactInteger({ description: "Reversals" }),
  cost: money,
  liability: money,
  asOf: Type.String({ description: "Everything up to this time is in the figures" }),
});

/** What every read may answer beside its success. */
export const readRefusals = {
  400: problemSchema,
  401: problemSchema,
  403: problemSchema,
  404: problemSchema,
  500: problemSchema,
  503: problemSchema,
};
