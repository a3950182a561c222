import { problemSchema } from "@coupon/service-kit";
import { Type } from "typebox";
import { cursor, instant, pageLimit, partyName, resourceId, signedMoney } from "../ops-answer.ts";

const coupons = Type.Integer({ description: "Coupons, or redemptions or reversals of them" });
const liability = (description: string) => Type.Object({ coupons, liability: signedMoney }, { description });

const settlement = Type.Object({
  campaignId: resourceId,
  batchId: Type.Union([resourceId, Type.Null()], { description: "Null where the sums are the campaign's" }),
  party: Type.String(),
  opening: Type.Object({ liability: signedMoney, payable: signedMoney }),
  issued: liability("Liability taken on, each coupon at its greatest discount"),
  redeemed: Type.Object({
    coupons,
    settled: signedMoney,
    released: Type.Object(signedMoney.properties, {
      description: "What the redemptions left of the greatest discount",
    }),
  }),
  reversed: Type.Object({ coupons, returned: signedMoney, liability: signedMoney }),
  expired: liability("Liability let go because the validity was over, less what was reinstated"),
  deactivated: liability("Liability let go because coupons were killed, one by one or with their batch"),
  outstanding: Type.Object(signedMoney.properties, { description: "By how much the liability has grown in all" }),
  payable: Type.Object(signedMoney.properties, { description: "What the party has to settle" }),
});

export const schema = {
  summary: "What coupons have come to for each party, and the trial balance of the same scope",
  tags: ["books"],
  querystring: Type.Object({
    by: Type.Optional(Type.Enum(["batch", "campaign"], { default: "batch" })),
    batchId: Type.Optional(resourceId),
    campaignId: Type.Optional(resourceId),
    party: Type.Optional(partyName),
    from: Type.Optional(instant),
    until: Type.Optional(instant),
    limit: pageLimit,
    cursor,
  }),
  response: {
    200: Type.Object({
      items: Type.Array(settlement),
      nextCursor: Type.Union([Type.String(), Type.Null()]),
      trialBalance: Type.Array(
        Type.Object({
          currency: Type.String(),
          debit: Type.Integer(),
          credit: Type.Integer(),
          imbalance: Type.Integer({ description: "Debit less credit; anything but 0 is a fault" }),
        }),
      ),
      asOf: instant,
    }),
    "4xx": problemSchema,
    "5xx": problemSchema,
  } as { [status: string]: unknown },
};
