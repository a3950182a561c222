import { DetachedRefusal, type Service } from "@coupon/service-kit";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Admission } from "./admission.ts";
import { type LoadClass, loadClassOf } from "./load-class.ts";

/**
 * Puts admission before everything that costs something: a request that is one too many is refused when its head has
 * been read, before its body, its signature and its JSON. Must be called before `requireSignature` and before routes
 * are added. Unknown routes, health and metrics are not under it.
 */
export function refuseWhenOverloaded(app: Service, admission: Admission<DetachedRefusal>): void {
  const refuse = (loadClass: LoadClass, request: FastifyRequest, reply: FastifyReply): void =>
    admission.refuse(loadClass, new DetachedRefusal(request, reply, "overloaded"), request.startedAtMs);
  app.decorateRequest("admittedAs", null);
  app.decorateRequest("loadClass", null);
  app.addHook("onRoute", (route) => {
    const loadClass = loadClassOf([route.method].flat().join(","), route.url);
    route.onRequest = [
      ...[route.onRequest ?? []].flat(),
      (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
        request.loadClass = loadClass;
        if (admission.admits(loadClass)) done();
        else refuse(loadClass, request, reply);
      },
    ];
  });
  // Counted from when the body is there: a sender who goes away in the middle of it is never heard of again.
  app.addHook("preParsing", (request, reply, payload, done) => {
    const { loadClass } = request;
    if (loadClass === null) return done(null, payload);
    if (!admission.admits(loadClass)) return refuse(loadClass, request, reply);
    admission.entered();
    request.admittedAs = loadClass;
    done(null, payload);
  });
  app.addHook("onSend", (request, reply, payload, done) => {
    const { admittedAs } = request;
    if (admittedAs !== null) {
      request.admittedAs = null;
      const wentAllTheWay = reply.statusCode < 300 || reply.statusCode === 409;
      admission.left(admittedAs, wentAllTheWay ? performance.now() - request.startedAtMs : null);
    }
    done(null, payload);
  });
}

declare module "fastify" {
  interface FastifyRequest {
    loadClass: LoadClass | null;
    /** Set while it counts as under way. */
    admittedAs: LoadClass | null;
  }
}
