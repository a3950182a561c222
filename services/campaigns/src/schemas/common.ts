import Type, { type TSchema } from "typebox";

/** Text for people: no control characters and no lone surrogates, neither of which PostgreSQL can keep. */
export const text = (maxLength: number) =>
  Type.String({
    minLength: 1,
    maxLength,
    pattern: "^[^\\p{Cc}\\p{Cs}]+$",
    description: "Text without control characters",
  });

/** An id that one of our services made, or may have made. */
export const resourceId = Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}$" });

export const callerId = Type.String({ pattern: "^[A-Za-z0-9._:@-]{1,128}$" });

/** An instant: RFC 3339 in UTC. The pattern is coarse; whether the date exists is checked by the domain. */
export const instant = Type.String({
  pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?Z$",
  description: "RFC 3339 time in UTC",
});

export const currency = Type.String({ pattern: "^[A-Z]{3}$", description: "ISO 4217 code" });

/** Integer minor units that a number holds exactly. */
export const amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const money = Type.Object({ amount, currency }, { additionalProperties: false });

export const timeZone = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: "^[A-Za-z0-9_+/-]+$",
  description: "IANA time zone",
});

/** `If-Match` of a change: an ETag that was read, or `*` for whatever there is now. */
export const changeHeaders = Type.Object({ "if-match": Type.Optional(Type.String({ maxLength: 200 })) });

export const pageQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
  cursor: Type.Optional(Type.String({ maxLength: 200 })),
});

/** A page of a listing, newest first. */
export const pageOf = <Item extends TSchema>(item: Item) =>
  Type.Object({ items: Type.Array(item), nextCursor: Type.Union([Type.String(), Type.Null()]) });

/** Who made a resource, when, and which version of it this is. */
export const recordFields = {
  version: Type.Integer(),
  createdBy: Type.String(),
  createdAt: instant,
  updatedAt: instant,
};
