import type { FastifyRequest } from "fastify";
import type { Service } from "../http/service.ts";
import { describeSecurity } from "../openapi/security.ts";
import { refusalReply } from "../problems/refusal-reply.ts";
import type { SignatureVerifier, SigningKey } from "./signature-verifier.ts";

/**
 * Demands a signature for everything under the prefix of `app`, also where there is no such route or
 * method: the 401s are judged before all else, once the body's bytes are there and before anybody looks
 * into them. Routes must be added to `app` after this call.
 */
export function requireSignature(app: Service, verifier: SignatureVerifier<SigningKey>): void {
  if (app.prefix === "") throw new Error("requireSignature needs an instance with a prefix, such as /v1");
  describeSecurity(app, "messageSignature");
  if (!app.hasRequestDecorator("caller")) app.decorateRequest("caller", null);
  app.addHook("preParsing", (request, reply, payload, done) => {
    const { method, url, headers } = request.raw;
    const verdict = verifier.verify({
      method: method ?? "",
      url: url ?? "",
      headers,
      rawBody: request.rawBody,
      bodyUnread: request.bodyFault !== null,
    });
    if (verdict.ok) {
      request.caller = verdict.key;
      done(null, payload);
    } else {
      refusalReply(reply, verdict);
    }
  });
  app.setNotFoundHandler(app.answerUnknownRoute);
}

/** The key with which a request under `requireSignature` was signed, as `findKey` gave it. */
export function callerOf<Key extends SigningKey = SigningKey>(request: FastifyRequest): Key {
  if (request.caller === null) throw new Error("the route is not under requireSignature");
  return request.caller as Key;
}

declare module "fastify" {
  interface FastifyRequest {
    caller: SigningKey | null;
  }
}
