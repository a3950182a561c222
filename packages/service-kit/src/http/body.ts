import type { RefusalCode } from "@coupon/domain";
import type { FastifyReply, FastifyRequest, preParsingHookHandler, RequestPayload } from "fastify";
import { refusalReply } from "../problems/refusal-reply.ts";
import { parseStrictJson } from "./strict-json.ts";

/** A body beyond the limit is read to its end, and thrown away, up to so many times the limit. */
const discardFactor = 8;

const jsonType = /^application\/json\s*(?:;\s*charset=(?:utf-8|"utf-8")\s*)?$/i;

type Done = (error: Error | null, payload?: RequestPayload) => void;

/**
 * Reads the raw body before anything judges it, since whoever signs a request is judged first: a
 * request that is unsigned, too large and not JSON is refused for its signature. What is wrong with the
 * body is kept in `request.bodyFault` for `judgeBody`.
 */
export function createBodyReader(limit: number): preParsingHookHandler {
  return (request, reply, payload, done) => {
    const headers = request.raw.headers;
    const length = headers["content-length"];
    if (length === undefined ? headers["transfer-encoding"] === undefined : length === "0") {
      done(null, payload);
    } else if (Number(length) > limit * discardFactor) {
      request.bodyFault = "body_too_large";
      reply.header("connection", "close");
      done(null, payload);
    } else {
      collect(request, reply, payload, limit, done);
    }
  };
}

function collect(request: FastifyRequest, reply: FastifyReply, payload: RequestPayload, limit: number, done: Done) {
  let first: Buffer | null = null;
  let more: Buffer[] | null = null;
  let size = 0;
  const finish = () => {
    payload.off("data", onData).off("end", onEnd);
    if (size > limit) request.bodyFault = "body_too_large";
    else if (more !== null) request.rawBody = Buffer.concat(more, size);
    else if (size > 0) request.rawBody = first;
    done(null, payload);
  };
  const onData = (chunk: Buffer) => {
    size += chunk.length;
    if (size > limit) {
      more = null;
      first = null;
      if (size <= limit * discardFactor) return;
      reply.header("connection", "close");
      payload.pause();
      finish();
    } else if (first === null) first = chunk;
    else if (more === null) more = [first, chunk];
    else more.push(chunk);
  };
  const onEnd = () => finish();
  payload.on("data", onData).on("end", onEnd);
}

/**
 * Refuses a body that is too large, not `application/json`, or not the JSON that we accept, and leaves
 * the parsed one for the route. Runs last of all hooks before validation.
 */
export function judgeBody(request: FastifyRequest, reply: FastifyReply, payload: RequestPayload, done: Done): void {
  if (request.bodyFault !== null) {
    refusalReply(reply, { code: request.bodyFault });
    return;
  }
  const raw = request.rawBody;
  if (raw === null) {
    done(null, payload);
    return;
  }
  const { "content-type": type, "content-encoding": encoding } = request.raw.headers;
  if ((type !== "application/json" && !jsonType.test(type ?? "")) || (encoding ?? "identity") !== "identity") {
    refusalReply(reply, { code: "media_type_unsupported" });
    return;
  }
  const parsed = parseStrictJson(raw);
  if (!parsed.ok) {
    refusalReply(reply, {
      code: "request_invalid",
      errors: [{ pointer: parsed.pointer, message: parsed.message }],
    });
  } else if (request.method === "GET" || request.method === "HEAD") {
    refusalReply(reply, { code: "request_invalid", errors: [{ pointer: "", message: "must have no body" }] });
  } else {
    request.parsedBody = parsed.value;
    done(null, payload);
  }
}

declare module "fastify" {
  interface FastifyRequest {
    /** The body's bytes as they came; null where there is none or it was too large. */
    rawBody: Buffer | null;
    bodyFault: Extract<RefusalCode, "body_too_large"> | null;
    parsedBody: unknown;
  }
}
