import { randomBytes } from "node:crypto";
import type { FastifyRequest } from "fastify";

const pattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?$/;

/** Whether `value` is a `traceparent` after W3C Trace Context. */
export function isTraceparent(value: unknown): value is string {
  return typeof value === "string" && value.length >= 55 && value.length <= 256 && pattern.test(value);
}

/**
 * `traceparent` for a call that is made on behalf of `request`: the same trace with a new parent id,
 * or a new trace where the request came without a valid one. Pass it on in headers of calls and messages.
 */
export function traceparentFor(request: FastifyRequest): string {
  const match = pattern.exec(String(request.headers.traceparent ?? ""));
  const parent = randomBytes(8).toString("hex");
  return match === null ? `00-${randomBytes(16).toString("hex")}-${parent}-00` : `00-${match[1]}-${parent}-${match[2]}`;
}

/** Id of the trace that the request belongs to, for logs; undefined where it came without one. */
export function traceIdOf(request: FastifyRequest): string | undefined {
  return pattern.exec(String(request.headers.traceparent ?? ""))?.[1];
}
