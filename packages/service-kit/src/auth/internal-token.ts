import { hash, timingSafeEqual } from "node:crypto";
import type { onRequestHookHandler } from "fastify";
import { refusalReply } from "../problems/refusal-reply.ts";

/** Hook for endpoints between our own services: demands `Authorization: Bearer <token>`, compared in constant time. */
export function requireInternalToken(token: string): onRequestHookHandler {
  if (token.length < 16) throw new Error("an internal token has at least 16 characters");
  const expected = hash("sha256", `Bearer ${token}`, "buffer");
  return (request, reply, done) => {
    const given = hash("sha256", request.headers.authorization ?? "", "buffer");
    if (timingSafeEqual(given, expected)) done();
    else refusalReply(reply.header("www-authenticate", "Bearer"), { code: "token_invalid" });
  };
}
