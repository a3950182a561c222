import { type TProperties, Type } from "typebox";
import { batchState, discount, hash, text, wholeNumber } from "./common.ts";

const serial = Type.Integer({ minimum: 0, maximum: 2 ** 30 - 1 });
const shardIndex = Type.Integer({ minimum: 0, maximum: 1023 });
const positive = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const nullable = Type.Union([wholeNumber, Type.Null()]);

const onCoupon = { serial, userId: text, callerId: text, orderId: text };

function entry<Kind extends string, Rest extends TProperties>(kind: Kind, rest: Rest) {
  return Type.Object({
    v: Type.Literal(1),
    batch: Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 }),
    shard: shardIndex,
    number: positive,
    at: wholeNumber,
    prev: Type.String({ pattern: "^([0-9a-f]{40})?$" }),
    kind: Type.Literal(kind),
    ...rest,
  });
}

const issueItem = Type.Tuple([serial, text, text, hash, Type.Enum(["c", "g"])]);

const lockItem = Type.Object({ ...onCoupon, payload: Type.String(), untilMs: wholeNumber, discount });

const redeemItem = Type.Object({ ...onCoupon, payload: Type.String(), discount });

const releaseItem = Type.Object({ ...onCoupon, held: Type.Boolean() });

const reverseItem = Type.Object({
  ...onCoupon,
  reversalId: text,
  keyHash: hash,
  payload: Type.String(),
  reason: Type.String(),
  reversed: discount,
  remaining: wholeNumber,
  restored: Type.Boolean(),
});

const shardRules = Type.Object({
  version: wholeNumber,
  state: batchState,
  revoked: Type.Boolean(),
  fromMs: wholeNumber,
  untilMs: wholeNumber,
  allotment: wholeNumber,
  perDay: nullable,
  perUser: wholeNumber,
  perUserPerDay: nullable,
  buckets: positive,
});

const correction = Type.Object({
  correctionId: text,
  stores: Type.Array(Type.Enum(["redis", "postgresql"]), { minItems: 1, maxItems: 2 }),
  serials: Type.Array(serial),
  reason: text,
  proposedBy: text,
  approvedBy: text,
});

/** The value of an entry, by its kind. Fields may be added within v1; readers pass over what they don't know. */
export const entrySchemas = {
  issue: entry("issue", { day: wholeNumber, items: Type.Array(issueItem, { minItems: 1 }) }),
  lock: entry("lock", { items: Type.Array(lockItem, { minItems: 1 }) }),
  redeem: entry("redeem", { items: Type.Array(redeemItem, { minItems: 1 }) }),
  release: entry("release", { items: Type.Array(releaseItem, { minItems: 1 }) }),
  reverse: entry("reverse", { items: Type.Array(reverseItem, { minItems: 1 }) }),
  deactivate: entry("deactivate", {
    items: Type.Array(Type.Object({ serial, reason: Type.String() }), { minItems: 1 }),
  }),
  rules: entry("rules", { rules: shardRules }),
  debit: entry("debit", { target: shardIndex, amount: wholeNumber, transfer: positive }),
  credit: entry("credit", { source: shardIndex, amount: wholeNumber, transfer: positive }),
  correct: entry("correct", { correction }),
};

export const markerSchema = Type.Object({
  v: Type.Literal(1),
  kind: Type.Literal("marker"),
  owner: text,
  at: wholeNumber,
});
