import Type, { type Static, type TSchema } from "typebox";
import { callerId, instant, recordFields, resourceId, text, timeZone } from "./common.ts";
import { frozenTemplate } from "./template.ts";

const closed = { additionalProperties: false };

const count = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const perUserCount = Type.Integer({ minimum: 1, maximum: 1_000_000 });
const orNull = <Field extends TSchema>(field: Field) => Type.Optional(Type.Union([field, Type.Null()]));

const stock = Type.Object(
  {
    total: count,
    perDay: Type.Optional(count),
    perUser: perUserCount,
    perUserPerDay: Type.Optional(perUserCount),
  },
  closed,
);

const stockPatch = Type.Object(
  {
    total: Type.Optional(count),
    perDay: orNull(count),
    perUser: Type.Optional(perUserCount),
    perUserPerDay: orNull(perUserCount),
  },
  closed,
);

const entitlement = Type.Enum(["issue", "redeem", "reverse", "read"]);

const callers = Type.Array(
  Type.Object({ callerId, may: Type.Array(entitlement, { minItems: 1, maxItems: 4, uniqueItems: true }) }, closed),
  { maxItems: 1_000 },
);

const funding = Type.Array(
  Type.Object({ party: text(128), basisPoints: Type.Integer({ minimum: 1, maximum: 10_000 }) }, closed),
  { minItems: 1, maxItems: 100 },
);

const fields = {
  campaignId: resourceId,
  templateId: resourceId,
  name: text(200),
  stock,
  issueWindow: Type.Object({ from: instant, until: instant }, closed),
  callers,
  timeZone,
};

const optionalFields = {
  funding: Type.Optional(funding),
  shards: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_024 })),
  sandbox: Type.Optional(Type.Boolean({ description: "Issued by test keys alone. Default false" })),
};

/** What a batch is created with, and replaced with. */
export const batchBody = Type.Object({ ...fields, ...optionalFields }, closed);

/** A change of some of its fields; inside `stock` and `issueWindow` of some of theirs. Null takes a limit away. */
export const batchPatch = Type.Partial(
  Type.Object(
    {
      ...fields,
      ...optionalFields,
      stock: stockPatch,
      issueWindow: Type.Object({ from: Type.Optional(instant), until: Type.Optional(instant) }, closed),
    },
    closed,
  ),
  { ...closed, minProperties: 1 },
);

export const batchState = Type.Enum(["draft", "in_review", "approved", "issuing", "paused", "ended", "deactivated"]);

export const batchView = Type.Object({
  batchId: resourceId,
  batchNumber: Type.Integer({ description: "Stands for the batch in coupon ids and in the log" }),
  ...fields,
  funding,
  shards: Type.Integer(),
  sandbox: Type.Boolean(),
  state: batchState,
  revoked: Type.Boolean({ description: "Deactivated together with what it had issued" }),
  revokedAt: Type.Optional(instant),
  template: Type.Optional(frozenTemplate),
  templateVersion: Type.Optional(Type.Integer()),
  authors: Type.Array(Type.String(), { description: "Who may not approve it" }),
  approvedBy: Type.Optional(Type.String()),
  inForce: Type.Boolean({ description: "Whether every shard has this version in force" }),
  ...recordFields,
});

export type BatchBody = Static<typeof batchBody>;
export type BatchPatch = Static<typeof batchPatch>;
export type BatchView = Static<typeof batchView>;
