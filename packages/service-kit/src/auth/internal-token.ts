import { hash, timingSafeEqual } from "node:crypto";
import type { Service } from "../http/service.ts";
import { describeSecurity } from "../openapi/security.ts";
import { refusalReply } from "../problems/refusal-reply.ts";

/**
 * For endpoints between our own services: demands `Authorization: Bearer <token>`, compared in constant time, for the
 * routes that are added to `app` after this call.
 */
export function requireInternalToken(app: Service, token: string): void {
  if (token.length < 16) throw new Error("an internal token has at least 16 characters");
  const expected = hash("sha256", `Bearer ${token}`, "buffer");
  describeSecurity(app, "internalToken");
  app.addHook("onRequest", (request, reply, done) => {
    const given = hash("sha256", request.headers.authorization ?? "", "buffer");
    if (timingSafeEqual(given, expected)) done();
    else refusalReply(reply.header("www-authenticate", "Bearer"), { code: "token_invalid" });
  });
}
