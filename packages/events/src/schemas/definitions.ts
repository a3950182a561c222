import { Type } from "typebox";
import { batchState, currency, instant, text, wholeNumber } from "./common.ts";

const money = Type.Object({ amount: wholeNumber, currency });
const basisPoints = Type.Integer({ minimum: 0, maximum: 10_000 });

const benefit = Type.Union([
  Type.Object({ kind: Type.Literal("amount_off"), amount: wholeNumber, currency }),
  Type.Object({
    kind: Type.Literal("percent_off"),
    basisPointsOff: basisPoints,
    maxAmount: wholeNumber,
    currency,
  }),
]);

const validity = Type.Union([
  Type.Object({ from: instant, until: instant }),
  Type.Object({
    days: wholeNumber,
    delayDays: Type.Optional(wholeNumber),
    mode: Type.Enum(["calendar", "rolling"]),
  }),
]);

const template = Type.Object({
  name: text,
  benefit,
  minimumSpend: Type.Optional(money),
  validity,
  timeZone: text,
  scope: Type.Optional(
    Type.Object({
      productIds: Type.Optional(Type.Array(text)),
      categoryIds: Type.Optional(Type.Array(text)),
      sellerIds: Type.Optional(Type.Array(text)),
    }),
  ),
  refundPolicy: Type.Enum(["restore", "forfeit"]),
});

/** The value of a message of the batches topic. */
export const batchSchema = Type.Object({
  batchId: text,
  batchNumber: Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 }),
  version: wholeNumber,
  campaignId: text,
  name: text,
  sandbox: Type.Boolean(),
  state: batchState,
  revoked: Type.Boolean(),
  revokedAt: Type.Optional(instant),
  template,
  stock: Type.Object({
    total: wholeNumber,
    perDay: Type.Optional(wholeNumber),
    perUser: wholeNumber,
    perUserPerDay: Type.Optional(wholeNumber),
  }),
  issueWindow: Type.Object({ from: instant, until: instant }),
  callers: Type.Array(
    Type.Object({ callerId: text, may: Type.Array(Type.Enum(["issue", "redeem", "reverse", "read"])) }),
  ),
  funding: Type.Array(Type.Object({ party: text, basisPoints })),
  timeZone: text,
  shards: Type.Integer({ minimum: 1, maximum: 1024 }),
  couponKeyVersion: Type.Integer({ minimum: 1, maximum: 31 }),
});

/** The value of a message of the callers topic. Each `secret` is sealed: see `sealSecret`. */
export const callerSchema = Type.Object({
  callerId: text,
  version: wholeNumber,
  name: text,
  status: Type.Enum(["live", "not_live", "suspended"]),
  keys: Type.Array(
    Type.Object({
      keyId: text,
      secret: Type.String({ pattern: "^v1\\.[A-Za-z0-9_-]+$" }),
      revoked: Type.Boolean(),
    }),
  ),
});

/** The value of a message of the rules-applied topic. */
export const rulesAppliedSchema = Type.Object({
  v: Type.Literal(1),
  batchId: text,
  batchNumber: Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 }),
  version: wholeNumber,
  shard: Type.Integer({ minimum: 0, maximum: 1023 }),
  shards: Type.Integer({ minimum: 1, maximum: 1024 }),
  shortBy: wholeNumber,
  partition: wholeNumber,
  offset: wholeNumber,
});
