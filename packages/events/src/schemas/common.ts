import { Type } from "typebox";

export const text = Type.String({ minLength: 1 });
export const wholeNumber = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const currency = Type.String({ pattern: "^[A-Z]{3}$" });
/** RFC 3339 in UTC. */
export const instant = Type.String({ pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?Z$" });
export const hash = Type.String({ pattern: "^[0-9a-f]{16}$" });

export const discount = Type.Object({
  discount: wholeNumber,
  currency,
  lines: Type.Array(Type.Object({ lineId: text, quantity: wholeNumber, discount: wholeNumber })),
});

export const batchState = Type.Enum(["draft", "in_review", "approved", "issuing", "paused", "ended", "deactivated"]);
