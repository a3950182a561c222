import { Agent, type Dispatcher, errors } from "undici";
import type { Refusal } from "./result.ts";

/** A request ready to be sent. */
export interface WireRequest {
  method: "GET" | "POST" | "PUT" | "PATCH";
  /** Path and query, sent as they are. */
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** How one attempt went. */
export type Attempt =
  | { kind: "answer"; status: number; body: unknown; headers: Record<string, string | string[] | undefined> }
  | { kind: "refusal"; refusal: Refusal; requestId: string | undefined }
  | { kind: "lost"; reason: "timed_out" | "network" | "bad_answer"; cause: unknown; requestId: string | undefined };

/** Answers larger than this are not read on; the largest the service gives is a page or a batch of grants. */
const answerBytesMax = 16 * 1024 * 1024;

/** Connections to one service, kept alive; each request has a bounded time. */
export class Transport {
  readonly #origin: string;
  readonly #timeoutMs: number;
  readonly #dispatcher: Dispatcher;
  readonly #ownsDispatcher: boolean;

  constructor(options: {
    baseUrl: string;
    timeoutMs: number;
    connections: number;
    dispatcher?: Dispatcher | undefined;
  }) {
    const url = new URL(options.baseUrl);
    if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
      throw new TypeError("baseUrl must be an origin without a path, since the path is signed as the service sees it");
    }
    this.#origin = url.origin;
    this.#timeoutMs = options.timeoutMs;
    this.#ownsDispatcher = options.dispatcher === undefined;
    this.#dispatcher =
      options.dispatcher ??
      new Agent({
        connections: options.connections,
        pipelining: 1,
        connect: { timeout: options.timeoutMs },
        keepAliveTimeout: 10_000,
        maxResponseSize: answerBytesMax,
      });
  }

  /** Sends a request once. Never rejects. */
  async send(request: WireRequest, withinMs: number, signal?: AbortSignal): Promise<Attempt> {
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(Math.min(this.#timeoutMs, withinMs))));
    try {
      const response = await this.#dispatcher.request({
        origin: this.#origin,
        path: request.path,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      });
      const text = await response.body.text();
      return readAnswer(response.statusCode, response.headers, text);
    } catch (cause) {
      return { kind: "lost", reason: isTimeout(cause) ? "timed_out" : "network", cause, requestId: undefined };
    }
  }

  async close(): Promise<void> {
    if (this.#ownsDispatcher) await this.#dispatcher.close();
  }
}

function isTimeout(cause: unknown): boolean {
  return (
    (cause instanceof DOMException && cause.name === "TimeoutError") ||
    cause instanceof errors.ConnectTimeoutError ||
    cause instanceof errors.HeadersTimeoutError ||
    cause instanceof errors.BodyTimeoutError
  );
}

function readAnswer(status: number, headers: Record<string, string | string[] | undefined>, text: string): Attempt {
  const requestId = textOf(headers["request-id"]);
  let body: unknown;
  try {
    body = text === "" ? undefined : JSON.parse(text);
  } catch (cause) {
    if (status < 400 || status >= 500) return { kind: "lost", reason: "bad_answer", cause, requestId };
  }
  if (status >= 200 && status < 300) return { kind: "answer", status, body, headers };
  const refusal = readRefusal(status, headers, body);
  if (refusal !== null) return { kind: "refusal", refusal, requestId };
  return { kind: "lost", reason: "bad_answer", cause: new Error(`HTTP ${status} without a problem`), requestId };
}

/** Also takes a bare 4xx of something in between, such as a gateway: it says no, and nothing was done. */
function readRefusal(
  status: number,
  headers: Record<string, string | string[] | undefined>,
  body: unknown,
): Refusal | null {
  const problem = (typeof body === "object" && body !== null ? body : {}) as Partial<Refusal>;
  const retryAfterSeconds = problem.retryAfterSeconds ?? secondsOf(textOf(headers["retry-after"]));
  if (typeof problem.code !== "string" || typeof problem.retryable !== "boolean") {
    if (status < 400 || status >= 500) return null;
    return {
      type: "about:blank",
      title: `HTTP ${status}`,
      status,
      detail: `The answer was HTTP ${status} without a problem of the platform.`,
      code: `http_${status}`,
      retryable: status === 408 || status === 425 || status === 429,
      outcome: status === 408 ? "unknown" : "none",
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    };
  }
  const refusal = { ...problem, status, outcome: problem.outcome === "none" ? "none" : "unknown" } as Refusal;
  if (retryAfterSeconds !== undefined) refusal.retryAfterSeconds = retryAfterSeconds;
  return refusal;
}

function secondsOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,9}$/.test(header) ? Number(header) : undefined;
}

/** One value of a header that comes once. */
export function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(",") : header;
}
