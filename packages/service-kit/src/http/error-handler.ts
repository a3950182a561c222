import type { Refusal } from "@coupon/domain";
import type { ErrorObject } from "ajv";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "../logger.ts";
import { refusalReply } from "../problems/refusal-reply.ts";
import { traceIdOf } from "./trace-context.ts";
import { toPointers } from "./validator.ts";

/**
 * Turns whatever reaches the framework as an error into a refusal. What nobody expected is logged with
 * its stack and answered as `internal_error`, which tells the caller nothing but the request's id.
 */
export function createErrorHandler(logger: Logger) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    // Of a method that has to have a body (QUERY), and that no route of ours takes: found out before the route is.
    if (error.code === "FST_ERR_ROUTE_MISSING_CONTENT_TYPE") return request.server.answerUnknownRoute(request, reply);
    const refusal = expected(error, request);
    if (refusal !== null) return refusalReply(reply, refusal);
    logger.error(
      { err: error, requestId: request.id, traceId: traceIdOf(request), method: request.method, url: request.url },
      "request failed",
    );
    return refusalReply(reply, { code: "internal_error" });
  };
}

function expected(error: FastifyError, request: FastifyRequest): Refusal | null {
  if (error.validation !== undefined) {
    return validationRefusal(error.validation as unknown as ErrorObject[], error.validationContext ?? "body", request);
  }
  switch (error.code) {
    case "FST_ERR_BAD_URL":
      return { code: "request_invalid", detail: "The path has a malformed percent-encoding." };
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return { code: "media_type_unsupported" };
    case "FST_ERR_HANDLER_TIMEOUT":
      return { code: "deadline_exceeded" };
    default:
      return null;
  }
}

function validationRefusal(errors: ErrorObject[], context: string, request: FastifyRequest): Refusal {
  if (context === "headers" && errors.every((error) => error.params.missingProperty === "idempotency-key")) {
    return { code: "idempotency_key_missing" };
  }
  if (context === "body" && request.rawBody === null) {
    return {
      code: "request_invalid",
      errors: [{ pointer: "", message: "must be a JSON object, but there is no body" }],
    };
  }
  return { code: "request_invalid", errors: toPointers(errors, context) };
}
