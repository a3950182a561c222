import type { Refusal } from "@coupon/domain";
import { encodeLogPosition } from "@coupon/events";
import { refusalReply } from "@coupon/service-kit";
import type { FastifyReply } from "fastify";
import type { ForwardedAnswer } from "../front/ledger-reads.ts";
import type { LogPlace } from "../owner/operation.ts";

/** Sends a change's answer with its place in the log. `text` is JSON already. */
export function sendChange(reply: FastifyReply, status: number, text: string, place: LogPlace): FastifyReply {
  if (place.offset >= 0) reply.header("log-position", encodeLogPosition(place.partition, place.offset));
  return sendText(reply, status, text);
}

/** Sends an answer that is JSON text already. */
export function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type("application/json; charset=utf-8").send(text);
}

/** Passes the ledger's answer on as it is. */
export function sendForwarded(reply: FastifyReply, answer: ForwardedAnswer | Refusal): FastifyReply {
  if ("code" in answer) return refusalReply(reply, answer);
  if (answer.retryAfter !== undefined) reply.header("retry-after", answer.retryAfter);
  return reply.code(answer.status).type(answer.contentType).send(answer.body);
}
