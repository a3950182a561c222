import { type FieldError, parseInstant, type Refusal } from "@coupon/domain";

/** A result to answer with, or why there is none. */
export type OpsOutcome<Result> = { kind: "done"; result: Result } | { kind: "refused"; refusal: Refusal };

/** A period as a query has it, in milliseconds; a refusal for a date that does not exist. */
export function readPeriod(query: {
  from?: string;
  until?: string;
}): OpsOutcome<{ fromMs?: number; untilMs?: number }> {
  const errors: FieldError[] = [];
  const read = (name: "from" | "until"): number | undefined => {
    const text = query[name];
    const ms = text === undefined ? undefined : parseInstant(text);
    if (ms !== null) return ms;
    errors.push({ pointer: `/${name}`, message: "query: is no time that exists" });
    return undefined;
  };
  const [fromMs, untilMs] = [read("from"), read("until")];
  if (errors.length > 0) return { kind: "refused", refusal: { code: "request_invalid", errors } };
  const result = { ...(fromMs === undefined ? {} : { fromMs }), ...(untilMs === undefined ? {} : { untilMs }) };
  return { kind: "done", result };
}

/** A cursor that stands for the values of a place in a listing. It opens nothing that the listing does not show. */
export function encodePlace(...values: (string | number)[]): string {
  return Buffer.from(JSON.stringify(values)).toString("base64url");
}

/** The values of a cursor that `encodePlace` made of as many of these types; null for any other text. */
export function decodePlace(text: string, types: readonly ("string" | "number")[]): unknown[] | null {
  try {
    const values: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    if (!Array.isArray(values) || values.length !== types.length) return null;
    const fits = (value: unknown, index: number) =>
      typeof value === types[index] && (typeof value !== "number" || Number.isSafeInteger(value));
    return values.every(fits) ? values : null;
  } catch {
    return null;
  }
}
