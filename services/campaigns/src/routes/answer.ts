import type { RefusalCode } from "@coupon/domain";
import {
  etagOf,
  operatorOf,
  parseIfMatch,
  problemOf,
  problemSchema,
  refusalReply,
  requireRole,
  retryAfterOf,
} from "@coupon/service-kit";
import type { FastifyReply, FastifyRequest } from "fastify";
import Type, { type TSchema } from "typebox";
import { refusalOf } from "../errors.ts";
import { resourceId } from "../schemas/common.ts";
import { decodeCursor, type PageAsk } from "../stores/page.ts";
import { done, type Outcome, type Refused, refused } from "../stores/transact.ts";
import type { ChangeAsk } from "../use-cases/apply-change.ts";

/** Whoever has a role may read. */
export const readers = requireRole("operator", "approver", "viewer");
export const operators = requireRole("operator");
export const approvers = requireRole("approver");

export const idParams = Type.Object({ id: resourceId });

/**
 * Schemas of a route's answers: its success, and problem details for everything else. Not part of a handler's
 * type, for every handler answers through `answer`, whose views are typed.
 */
export function answers(status: 200 | 201, body: TSchema): { [status: string]: unknown } {
  return { [status]: body, "4xx": problemSchema, "5xx": problemSchema };
}

/**
 * Answers with what a use case gave: its result, with the ETag of its version if it has one, or its refusal.
 * A database that is away is a refusal, too.
 */
export async function answer<Result>(
  reply: FastifyReply,
  outcome: Promise<Outcome<Result>>,
  view: (result: Result) => object,
  created?: (result: Result) => string,
): Promise<FastifyReply> {
  const settled = await outcome.catch((error: unknown) => {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    return refused(refusal);
  });
  if (settled.kind === "refused") return refuse(reply, settled);
  const body = view(settled.result);
  if ("version" in body && typeof body.version === "number") reply.header("etag", etagOf(body.version));
  if (created !== undefined) reply.code(201).header("location", created(settled.result));
  return reply.send(body);
}

function refuse(reply: FastifyReply, { refusal, inDoubt }: Refused): FastifyReply {
  if (inDoubt !== true) return refusalReply(reply, refusal);
  const problem = { ...problemOf(refusal), outcome: "unknown" };
  const wait = retryAfterOf(refusal);
  if (wait !== undefined) reply.header("retry-after", String(wait));
  return reply.code(problem.status).type("application/problem+json; charset=utf-8").send(JSON.stringify(problem));
}

/** The result of a look-up: the resource, or that there is none. */
export async function found<Record>(record: Promise<Record | null>, notFound: RefusalCode): Promise<Outcome<Record>> {
  const result = await record;
  return result === null ? refused({ code: notFound }) : done(result);
}

/** Who asks for a change of which resource, and which version of it he has read. */
export function changeAsk(request: FastifyRequest, id: string, action: string, body: object | null): ChangeAsk {
  const ifMatch = parseIfMatch(request.headers["if-match"]);
  return { id, ifMatch, actor: operatorOf(request).subject, action, request: body };
}

/** The page that a listing is asked for; a refusal where the cursor is none of ours. */
export function pageAsk(query: { limit?: number; cursor?: string }): Outcome<PageAsk> {
  const limit = query.limit ?? 50;
  if (query.cursor === undefined) return done({ limit, after: null });
  const after = decodeCursor(query.cursor);
  return after === null ? refused({ code: "cursor_invalid" }) : done({ limit, after });
}

/**
 * Lets a route with `attachValidation` do without a body: whatever else is wrong with the request, and with a
 * body that is there, is refused as ever.
 */
export function refuseInvalid({ validationError, rawBody }: FastifyRequest): void {
  if (validationError === undefined) return;
  const onlyMissing = validationError.validationContext === "body" && rawBody === null;
  if (!onlyMissing) throw validationError;
}
