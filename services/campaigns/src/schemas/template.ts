import Type, { type Static } from "typebox";
import { amount, currency, instant, money, recordFields, resourceId, text, timeZone } from "./common.ts";

const closed = { additionalProperties: false };

/** Ids inside orders: visible ASCII. */
const itemIds = Type.Array(Type.String({ pattern: "^[\\x21-\\x7E]{1,128}$" }), { minItems: 1, maxItems: 10_000 });

const benefit = Type.Union([
  Type.Object({ kind: Type.Literal("amount_off"), amount, currency }, closed),
  Type.Object(
    {
      kind: Type.Literal("percent_off"),
      basisPointsOff: Type.Integer({ minimum: 1, maximum: 10_000 }),
      maxAmount: amount,
      currency,
    },
    closed,
  ),
]);

const days = Type.Integer({ minimum: 1, maximum: 36_500 });

const validity = Type.Union([
  Type.Object({ from: instant, until: instant }, closed),
  Type.Object(
    {
      days,
      delayDays: Type.Optional(Type.Integer({ minimum: 0, maximum: 36_500 })),
      mode: Type.Union([Type.Literal("calendar"), Type.Literal("rolling")]),
    },
    closed,
  ),
]);

const scope = Type.Object(
  {
    productIds: Type.Optional(itemIds),
    categoryIds: Type.Optional(itemIds),
    sellerIds: Type.Optional(itemIds),
  },
  closed,
);

const fields = {
  name: text(200),
  benefit,
  minimumSpend: Type.Optional(money),
  validity,
  timeZone,
  scope: Type.Optional(scope),
  refundPolicy: Type.Union([Type.Literal("restore"), Type.Literal("forfeit")]),
};

/** What a template is created with, and replaced with. */
export const templateBody = Type.Object(fields, closed);

/** A change of some of its fields; null takes an optional one away. */
export const templatePatch = Type.Partial(
  Type.Object(
    {
      ...fields,
      minimumSpend: Type.Union([money, Type.Null()]),
      scope: Type.Union([scope, Type.Null()]),
    },
    closed,
  ),
  { ...closed, minProperties: 1 },
);

/** A template as it was frozen into a batch. */
export const frozenTemplate = Type.Object(fields);

export const templateView = Type.Object({ templateId: resourceId, ...fields, ...recordFields });

export type TemplateBody = Static<typeof templateBody>;
export type TemplatePatch = Static<typeof templatePatch>;
export type TemplateView = Static<typeof templateView>;
