import { IDEMPOTENCY_KEY_PATTERN, OPAQUE_ID_PATTERN } from "@coupon/domain";
import { type TProperties, Type } from "typebox";

/** An object that takes no other members than these: bodies are refused, not trimmed. */
export function strictObject<Properties extends TProperties>(properties: Properties, options: object = {}) {
  return Type.Object(properties, { ...options, additionalProperties: false });
}

/** Header schema of changes that are named by an `Idempotency-Key`; without one: `idempotency_key_missing`. */
export const idempotencyKeyHeaders = Type.Object({
  "idempotency-key": Type.String({
    pattern: IDEMPOTENCY_KEY_PATTERN,
    description: "Raw and unquoted; names the outcome of this change",
  }),
});

/** An opaque id that a caller chose: a user, an order. */
export const callersId = (description: string) => Type.String({ pattern: OPAQUE_ID_PATTERN, description });

/** A count or an amount of minor units that a double holds exactly. */
export const exactInteger = (options: { minimum?: number; maximum?: number; description?: string } = {}) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, ...options });

/** Problem details, for `response` in route schemas. */
export const problemSchema = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String(),
    retryable: Type.Boolean(),
    outcome: Type.Union([Type.Literal("none"), Type.Literal("unknown")]),
    retryAfterSeconds: Type.Optional(Type.Integer()),
    limit: Type.Optional(
      Type.Object({
        name: Type.String(),
        scope: Type.String(),
        max: Type.Integer(),
        used: Type.Integer(),
        resetsAt: Type.Optional(Type.String()),
      }),
    ),
    errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), message: Type.String() }))),
  },
  { title: "Problem", description: "RFC 9457 problem details; docs/errors.md describes every code" },
);
