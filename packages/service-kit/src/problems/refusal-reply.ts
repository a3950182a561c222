import type { Refusal } from "@coupon/domain";
import type { FastifyReply } from "fastify";
import { problemText, retryAfterOf, statusOf } from "./problem.ts";

export const problemMediaType = "application/problem+json; charset=utf-8";

/**
 * Answers a refusal as `application/problem+json`, with `Retry-After` where waiting helps. Members of
 * `extra` are added to the problem, e.g. `challenge`; they must not repeat one of its own.
 */
export function refusalReply(reply: FastifyReply, refusal: Refusal, extra?: Record<string, unknown>): FastifyReply {
  const wait = retryAfterOf(refusal);
  if (wait !== undefined) reply.header("retry-after", String(wait));
  let text = problemText(refusal);
  if (extra !== undefined) {
    const members = JSON.stringify(extra);
    if (members !== "{}") text = `${text.slice(0, -1)},${members.slice(1)}`;
  }
  return reply.code(statusOf(refusal)).type(problemMediaType).send(text);
}
