import type { ServerResponse } from "node:http";
import type { RefusalCode } from "@coupon/domain";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { RouteMeter } from "../metrics/request-histogram.ts";
import { problemText, retryAfterOf, statusOf } from "./problem.ts";
import { problemMediaType } from "./refusal-reply.ts";

/** Codes whose refusal is the same to the byte for everybody. */
type PlainCode = Extract<RefusalCode, "overloaded">;

/**
 * A refusal taken out of Fastify's hands, to be sent once, now or later. It costs a fraction of `refusalReply`: no
 * hooks run for it any more, its text is made beforehand, and while it waits only the connection's own objects live on.
 */
export class DetachedRefusal {
  readonly #response: ServerResponse;
  readonly #status: number;
  readonly #headers: string[];
  readonly #text: string;
  readonly #meter: RouteMeter;
  readonly #startedAtMs: number;
  readonly #lifecycle: { draining: boolean };

  /** The reply must not be used any more. To be called in a hook before the handler, which then doesn't go on. */
  constructor(request: FastifyRequest, reply: FastifyReply, code: PlainCode) {
    const { text, status, headers } = prepared[code];
    reply.hijack();
    this.#response = reply.raw;
    this.#status = status;
    this.#text = text;
    this.#headers = [...headers, "request-id", request.id];
    const traceparent = reply.getHeader("traceparent");
    if (typeof traceparent === "string") this.#headers.push("traceparent", traceparent);
    this.#meter = request.meter ?? request.server.metrics.unmatched;
    this.#startedAtMs = request.startedAtMs;
    this.#lifecycle = request.server.lifecycle;
  }

  /** Sends it; where the sender is gone, it costs nothing more. */
  send(): void {
    if (this.#response.destroyed) return;
    this.#meter.observe(this.#status, performance.now() - this.#startedAtMs);
    if (this.#lifecycle.draining) this.#headers.push("connection", "close");
    this.#response.writeHead(this.#status, this.#headers);
    this.#response.end(this.#text);
  }
}

const prepared: Record<PlainCode, { status: number; text: string; headers: readonly string[] }> = {
  overloaded: prepare("overloaded"),
};

function prepare(code: PlainCode) {
  const text = problemText({ code });
  const wait = retryAfterOf({ code });
  const length = String(Buffer.byteLength(text));
  const headers = ["content-type", problemMediaType, "content-length", length];
  if (wait !== undefined) headers.push("retry-after", String(wait));
  return { status: statusOf({ code }), text, headers };
}
