import { postingAccounts, postingEvents } from "@coupon/domain";
import { problemSchema } from "@coupon/service-kit";
import { Type } from "typebox";
import { cursor, instant, pageLimit, partyName, resourceId, signedMoney } from "../ops-answer.ts";

export const account = Type.Enum([...postingAccounts]);

export const schema = {
  summary: "Lines of the journal, newest first",
  tags: ["books"],
  querystring: Type.Object({
    batchId: Type.Optional(resourceId),
    campaignId: Type.Optional(resourceId),
    account: Type.Optional(account),
    party: Type.Optional(partyName),
    from: Type.Optional(instant),
    until: Type.Optional(instant),
    limit: pageLimit,
    cursor,
  }),
  response: {
    200: Type.Object({
      items: Type.Array(
        Type.Object({
          postingId: Type.Integer(),
          at: instant,
          campaignId: resourceId,
          batchId: resourceId,
          shard: Type.Integer(),
          number: Type.Integer({ description: "The entry of the shard; of an expiry the last one before it" }),
          event: Type.Enum([...postingEvents]),
          account,
          party: Type.String(),
          side: Type.Enum(["debit", "credit"]),
          amount: signedMoney,
          coupons: Type.Integer(),
        }),
      ),
      nextCursor: Type.Union([Type.String(), Type.Null()]),
    }),
    "4xx": problemSchema,
    "5xx": problemSchema,
  } as { [status: string]: unknown },
};
