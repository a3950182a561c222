import type { FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import type { Service } from "../http/service.ts";
import { describeSecurity } from "../openapi/security.ts";
import { refusalReply } from "../problems/refusal-reply.ts";
import type { Operator, TokenVerifier } from "./token-verifier.ts";

/**
 * Demands an operator's bearer token for everything under the prefix of `app`, also where there is no
 * such route. Routes must be added to `app` after this call.
 */
export function requireToken(app: Service, verifier: TokenVerifier): void {
  if (app.prefix === "") throw new Error("requireToken needs an instance with a prefix, such as /ops/v1");
  describeSecurity(app, "operatorToken");
  if (!app.hasRequestDecorator("operator")) app.decorateRequest("operator", null);
  app.addHook("onRequest", async (request, reply) => {
    const verdict = await verifier.verify(request.headers.authorization);
    if (verdict.ok) {
      request.operator = verdict.operator;
      return;
    }
    if (verdict.code === "token_invalid") return refusalReply(reply.header("www-authenticate", "Bearer"), verdict);
    request.log.error({ err: verdict.because }, "the identity provider's keys can't be had");
    return refusalReply(reply, { code: verdict.code, retryAfterSeconds: 1 });
  });
  app.setNotFoundHandler(app.answerUnknownRoute);
}

/** Hook for a route under `requireToken`: the operator must have at least one of `roles`, else `role_missing`. */
export function requireRole(...roles: [string, ...string[]]): onRequestAsyncHookHandler {
  return async (request, reply) => {
    if (!operatorOf(request).roles.some((role) => roles.includes(role))) {
      return refusalReply(reply, { code: "role_missing", detail: `This needs the role ${roles.join(" or ")}.` });
    }
  };
}

/** The operator whose token a request under `requireToken` carried. */
export function operatorOf(request: FastifyRequest): Operator {
  if (request.operator === null) throw new Error("the route is not under requireToken");
  return request.operator;
}

declare module "fastify" {
  interface FastifyRequest {
    operator: Operator | null;
  }
}
