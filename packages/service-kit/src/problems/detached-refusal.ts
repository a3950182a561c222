import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { RefusalCode } from "@coupon/domain";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { RouteMeter } from "../metrics/request-histogram.ts";
import { problemText, retryAfterOf, statusOf } from "./problem.ts";
import { problemMediaType } from "./refusal-reply.ts";

/** Codes whose refusal is the same to the byte for everybody. */
type PlainCode = Extract<RefusalCode, "overloaded">;

/** On a connection: the refusal that it still waits for. */
const owed = Symbol("owed refusal");

interface Connection extends Socket {
  [owed]?: DetachedRefusal | undefined;
}

/**
 * A refusal taken out of everybody's hands, to be sent once, now or later. While it waits nothing lives on but it and
 * the connection: for Node's HTTP server the request is over, and the answer, whose text is made beforehand, is written
 * to the connection itself. What garbage collection copies is what makes refusals dear, not their bytes.
 */
export class DetachedRefusal {
  readonly #connection: Connection;
  /** Kept where the answer has to go the long way. */
  readonly #response: ServerResponse | null;
  readonly #code: PlainCode;
  readonly #requestId: string;
  readonly #traceparent: string | undefined;
  readonly #meter: RouteMeter;
  readonly #startedAtMs: number;
  readonly #app: FastifyInstance;

  /** The reply must not be used any more. To be called in a hook before the handler, which then doesn't go on. */
  constructor(request: FastifyRequest, reply: FastifyReply, code: PlainCode) {
    reply.hijack();
    const traceparent = reply.getHeader("traceparent");
    this.#connection = request.raw.socket;
    this.#code = code;
    this.#requestId = request.id;
    this.#traceparent = typeof traceparent === "string" ? traceparent : undefined;
    this.#meter = request.meter ?? request.server.metrics.unmatched;
    this.#startedAtMs = request.startedAtMs;
    this.#app = request.server;
    this.#response = letGo(request, reply.raw) ? null : reply.raw;
    if (this.#response === null) this.#connection[owed] = this;
  }

  /** Sends it; where the sender is gone, it costs nothing more. */
  send(): void {
    const response = this.#response;
    const connection = this.#connection;
    if (response === null ? connection[owed] !== this : response.writableEnded) return;
    if (response === null) connection[owed] = undefined;
    if (!connection.writable) return;
    this.#meter.observe(prepared[this.#code].status, performance.now() - this.#startedAtMs);
    if (response === null) this.#write();
    else this.#answerWith(response);
  }

  #write(): void {
    const { head, text } = prepared[this.#code];
    const trace = this.#traceparent === undefined ? "" : `traceparent: ${this.#traceparent}\r\n`;
    const start = `${head}request-id: ${this.#requestId}\r\n${trace}date: ${httpDate()}\r\n`;
    if (this.#app.lifecycle.draining) this.#connection.end(`${start}connection: close\r\n\r\n${text}`, "latin1");
    else {
      const idleSeconds = Math.floor(this.#app.server.keepAliveTimeout / 1_000);
      const stays = `connection: keep-alive\r\nkeep-alive: timeout=${idleSeconds}\r\n\r\n`;
      this.#connection.write(`${start}${stays}${text}`, "latin1");
    }
  }

  #answerWith(response: ServerResponse): void {
    const { status, headers, text } = prepared[this.#code];
    const all = [...headers, "request-id", this.#requestId];
    if (this.#traceparent !== undefined) all.push("traceparent", this.#traceparent);
    if (this.#app.lifecycle.draining) all.push("connection", "close");
    response.writeHead(status, all);
    response.end(text);
  }
}

/** Sends the refusal that a connection still waits for, since what came after it is answered after it. */
export function settleConnection(connection: Connection): void {
  connection[owed]?.send();
}

/**
 * Ends a request for Node's HTTP server as its answer would: the server then forgets both, throws the rest of the body
 * away, and reads on. Not for what waits behind an earlier answer, has no body in its answer or ends the connection.
 */
function letGo(request: FastifyRequest, response: ServerResponse): boolean {
  if (!response.shouldKeepAlive || response.socket === null || request.method === "HEAD") return false;
  response.emit("finish");
  return true;
}

let dateSecond = 0;
let date = "";

function httpDate(): string {
  const second = Math.floor(Date.now() / 1_000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = new Date(second * 1_000).toUTCString();
  }
  return date;
}

const prepared: Record<PlainCode, ReturnType<typeof prepare>> = { overloaded: prepare("overloaded") };

function prepare(code: PlainCode) {
  const text = problemText({ code });
  const wait = retryAfterOf({ code });
  const status = statusOf({ code });
  const headers = ["content-type", problemMediaType, "content-length", String(Buffer.byteLength(text))];
  if (wait !== undefined) headers.push("retry-after", String(wait));
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return { status, text, headers, head };
}
