import { type LimitReached, type Refusal, type RefusalCode, refusals } from "@coupon/domain";
import { guide } from "./guide/index.ts";

/** A refusal as RFC 9457 problem details. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: RefusalCode;
  retryable: boolean;
  outcome: "none" | "unknown";
  retryAfterSeconds?: number;
  limit?: LimitReached;
  errors?: { pointer: string; message: string }[];
}

interface Prepared {
  status: number;
  retryAfterSeconds: number | undefined;
  /** Everything up to the value of `detail`. */
  head: string;
  detail: string;
  /** From after `detail` up to the closing brace, which is left out. */
  tail: string;
  /** The whole text where nothing varies. */
  whole: string;
}

/** Where waiting helps and nobody knows better, a second is long enough for a part to come back. */
const patienceSeconds = 1;

const prepared = Object.fromEntries(codes().map((code) => [code, prepare(code)])) as Record<RefusalCode, Prepared>;

function codes(): RefusalCode[] {
  return Object.keys(refusals) as RefusalCode[];
}

function prepare(code: RefusalCode): Prepared {
  const rule = refusals[code];
  const retryAfterSeconds = rule.status === 503 || rule.status === 429 ? patienceSeconds : undefined;
  const head = `{"type":"${problemType(code)}","title":${JSON.stringify(rule.title)},"status":${rule.status},"detail":`;
  const detail = JSON.stringify(guide[code].caller);
  const tail = `,"code":"${code}","retryable":${rule.retryable},"outcome":"${rule.outcome}"`;
  const wait = retryAfterSeconds === undefined ? "" : `,"retryAfterSeconds":${retryAfterSeconds}`;
  return { status: rule.status, retryAfterSeconds, head, detail, tail, whole: `${head}${detail}${tail}${wait}}` };
}

/** URI that names a code. It need not lead anywhere; `docs/errors.md` describes each. */
export function problemType(code: RefusalCode): string {
  return `urn:coupon:problem:${code}`;
}

/** HTTP status of a refusal. */
export function statusOf(refusal: Refusal): number {
  return prepared[refusal.code].status;
}

/** Seconds after which trying again makes sense; undefined where waiting does not help. At least 1. */
export function retryAfterOf(refusal: Refusal): number | undefined {
  const seconds = refusal.retryAfterSeconds ?? prepared[refusal.code].retryAfterSeconds;
  return seconds === undefined ? undefined : Math.max(1, Math.ceil(seconds));
}

/** The refusal as an object, to embed in a larger answer such as a grant's outcome. */
export function problemOf(refusal: Refusal): Problem {
  const rule = refusals[refusal.code];
  const retryAfterSeconds = retryAfterOf(refusal);
  return {
    type: problemType(refusal.code),
    title: rule.title,
    status: rule.status,
    detail: refusal.detail ?? guide[refusal.code].caller,
    code: refusal.code,
    retryable: rule.retryable,
    outcome: rule.outcome,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(refusal.limit === undefined ? {} : { limit: refusal.limit }),
    ...(refusal.errors === undefined ? {} : { errors: refusal.errors }),
  };
}

/**
 * The refusal as JSON text: what `JSON.stringify(problemOf(refusal))` would give, put together from
 * texts made once per code, since a refusal at peak must cost no more than a success.
 */
export function problemText(refusal: Refusal): string {
  const parts = prepared[refusal.code];
  if (
    refusal.detail === undefined &&
    refusal.limit === undefined &&
    refusal.errors === undefined &&
    refusal.retryAfterSeconds === undefined
  ) {
    return parts.whole;
  }
  const wait = retryAfterOf(refusal);
  let text = parts.head + (refusal.detail === undefined ? parts.detail : JSON.stringify(refusal.detail)) + parts.tail;
  if (wait !== undefined) text += `,"retryAfterSeconds":${wait}`;
  if (refusal.limit !== undefined) text += `,"limit":${JSON.stringify(refusal.limit)}`;
  if (refusal.errors !== undefined) text += `,"errors":${JSON.stringify(refusal.errors)}`;
  return `${text}}`;
}
