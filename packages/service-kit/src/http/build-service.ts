import fastifySwagger from "@fastify/swagger";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { Logger } from "../logger.ts";
import { createMetrics, type Metrics } from "../metrics/create-metrics.ts";
import { settleConnection } from "../problems/detached-refusal.ts";
import { refusalReply } from "../problems/refusal-reply.ts";
import { createBodyReader, judgeBody } from "./body.ts";
import { answerClientError } from "./client-error.ts";
import { createErrorHandler } from "./error-handler.ts";
import { addOperationalRoutes } from "./operational-routes.ts";
import { createRequestIds } from "./request-id.ts";
import { RouteIndex } from "./route-index.ts";
import type { Service } from "./service.ts";
import { isTraceparent } from "./trace-context.ts";
import { createValidatorCompiler } from "./validator.ts";

export interface ServiceOptions {
  name: string;
  version: string;
  logger: Logger;
  openapi?: { title: string };
  /** Whether the service may take traffic; `/readyz` answers 503 while it may not or while it drains. */
  ready?: () => Promise<boolean> | boolean;
  /** Greatest size of a body in bytes; 1 MiB unless told. */
  bodyLimit?: number;
  /** Made here unless given. */
  metrics?: Metrics;
}

/** A request must have arrived whole within this time, so that a slow sender holds no connection for long. */
const requestTimeoutMs = 30_000;

/** Longer than what Node accepts as a whole request head, so that no parameter is too long to be judged. */
const paramLengthMax = 64 * 1024;

/**
 * Builds a service: request ids, trace context, strict bodies, problem details for every refusal and
 * error, `/openapi.json`, `/healthz`, `/readyz` and `/metrics`. Requests are not logged; errors are,
 * through `app.logger` (Fastify's own logger is off: a child logger per request costs more than a
 * signature check). Nothing listens until `listen`.
 */
export function buildService(options: ServiceOptions): Service {
  const metrics = options.metrics ?? createMetrics(options.name);
  const lifecycle = { draining: false };
  const routes = new RouteIndex();
  const requestIds = createRequestIds();
  const app: Service = fastify({
    logger: false,
    genReqId: requestIds,
    requestTimeout: requestTimeoutMs,
    http: {
      requestTimeout: requestTimeoutMs,
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: 5_000,
      // Node's own refusal is an empty one: see `namesItsHost`.
      requireHostHeader: false,
    },
    return503OnClosing: false,
    routerOptions: { maxParamLength: paramLengthMax },
    frameworkErrors: (error, request, reply) => {
      reply.header("request-id", request.id);
      handleError(error, request, reply as unknown as FastifyReply);
    },
    clientErrorHandler: (error, socket) =>
      answerClientError(error, socket, { timeoutMs: requestTimeoutMs, requestId: requestIds }),
  }).withTypeProvider<TypeBoxTypeProvider>();
  const handleError = createErrorHandler(options.logger);
  // Before Fastify sees a request, whatever becomes of it there.
  app.server.prependListener("request", (request) => settleConnection(request.socket));
  // Node would answer 417 by itself; an expectation that we don't know may as well be passed over (RFC 9110, 10.1.1).
  app.server.on("checkExpectation", (request, response) => app.server.emit("request", request, response));

  app.decorate("logger", options.logger);
  app.decorate("metrics", metrics);
  app.decorate("lifecycle", lifecycle);
  app.decorate("securitySchemes", {});
  app.decorate("answerUnknownRoute", (request: FastifyRequest, reply: FastifyReply) =>
    answerUnknownRoute(routes, request, reply),
  );
  app.decorateRequest("rawBody", null);
  app.decorateRequest("bodyFault", null);
  app.decorateRequest("parsedBody", undefined);
  app.decorateRequest("startedAtMs", 0);
  app.decorateRequest("meter", null);

  app.setValidatorCompiler(createValidatorCompiler());
  app.setErrorHandler(handleError);
  app.setNotFoundHandler(app.answerUnknownRoute);
  app.removeAllContentTypeParsers();
  // "*" alone would be looked up by parsing the header of each request, 1.6 µs a claim; what is named is found by its text.
  app.addContentTypeParser(["application/json", "*"], (request, _payload, done) => done(null, request.parsedBody));

  app.addHook("onRequest", (request, reply, done) => {
    request.startedAtMs = performance.now();
    reply.header("request-id", request.id);
    const traceparent = request.raw.headers.traceparent;
    if (traceparent !== undefined && isTraceparent(traceparent)) reply.header("traceparent", traceparent);
    if (namesItsHost(request)) done();
    else refusalReply(reply, { code: "request_invalid", detail: "A request over HTTP/1.1 names its Host." });
  });
  app.addHook("preParsing", createBodyReader(options.bodyLimit ?? 1024 * 1024));
  app.addHook("onSend", (request, reply, payload, done) => {
    const meter = request.meter ?? metrics.unmatched;
    meter.observe(reply.raw.statusCode, performance.now() - request.startedAtMs);
    if (lifecycle.draining) reply.header("connection", "close");
    done(null, payload);
  });
  app.addHook("onRoute", (route) => {
    routes.add(route);
    const meter = metrics.meterFor([route.method].flat().join(","), route.url);
    route.onRequest = [
      (request, _reply, done) => {
        request.meter = meter;
        done();
      },
      ...[route.onRequest ?? []].flat(),
    ];
    route.preParsing = [...[route.preParsing ?? []].flat(), judgeBody];
  });
  // Called rather than registered: it works synchronously, and so also sees routes added to `app` itself.
  fastifySwagger.fastifySwagger(
    app as unknown as FastifyInstance,
    {
      openapi: {
        openapi: "3.1.0",
        info: { title: options.openapi?.title ?? options.name, version: options.version },
        components: { securitySchemes: app.securitySchemes },
      },
    },
    (error) => {
      if (error) throw error;
    },
  );
  addOperationalRoutes(app, options.ready ?? (() => true));
  return app;
}

/** As RFC 9112, 3.2 demands of HTTP/1.1. */
function namesItsHost({ raw }: FastifyRequest): boolean {
  return raw.headers.host !== undefined || raw.httpVersion !== "1.1";
}

function answerUnknownRoute(routes: RouteIndex, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const url = request.raw.url ?? "/";
  const end = url.indexOf("?");
  const methods = routes.methodsOf(end < 0 ? url : url.slice(0, end));
  if (methods.length === 0) return refusalReply(reply, { code: "route_not_found" });
  return refusalReply(reply.header("allow", methods.join(", ")), { code: "method_not_allowed" });
}
