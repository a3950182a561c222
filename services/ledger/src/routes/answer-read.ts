import { isUnavailable } from "@coupon/database";
import type { Refusal, RefusalCode } from "@coupon/domain";
import { decodeLogPositions } from "@coupon/events";
import { refusalReply } from "@coupon/service-kit";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { LedgerResources } from "../resources.ts";
import type { Reader } from "../stores/batches.ts";
import type { Outcome } from "../use-cases/outcome.ts";

interface ReadHeaders {
  "x-caller-id"?: string;
  "x-caller-sandbox"?: boolean;
  "x-caller-refusal"?: RefusalCode;
  "read-after"?: string;
}

/**
 * Answers a read once the log has been applied as far as its `Read-After` says. PostgreSQL being away is
 * `ledger_unavailable`, never a 500.
 */
export function answerRead(
  resources: LedgerResources,
  request: FastifyRequest,
  reply: FastifyReply,
  read: () => Promise<Outcome>,
): void {
  answer(resources, request, reply, read).catch((error: unknown) => {
    if (isUnavailable(error)) refusalReply(reply, { code: "ledger_unavailable" });
    else reply.send(error);
  });
}

async function answer(
  resources: LedgerResources,
  request: FastifyRequest,
  reply: FastifyReply,
  read: () => Promise<Outcome>,
): Promise<void> {
  const refusal = await waitForPosition(resources, (request.headers as ReadHeaders)["read-after"]);
  if (refusal !== null) {
    refusalReply(reply, refusal);
    return;
  }
  const outcome = await read();
  if (outcome.kind === "refused") refusalReply(reply, outcome.refusal);
  else reply.type("application/json; charset=utf-8").send(outcome.json);
}

/** The caller that the front has proven. */
export function readerOf(request: FastifyRequest): Reader {
  const headers = request.headers as ReadHeaders;
  return {
    callerId: headers["x-caller-id"] ?? "",
    sandbox: headers["x-caller-sandbox"] ?? null,
    refusal: headers["x-caller-refusal"] ?? null,
  };
}

async function waitForPosition(resources: LedgerResources, text: string | undefined): Promise<Refusal | null> {
  if (text === undefined) return null;
  const after = decodeLogPositions(text);
  if (after === null) {
    const errors = [{ pointer: "/read-after", message: "header: is not made of Log-Position values" }];
    return { code: "request_invalid", errors };
  }
  const startedAt = performance.now();
  const applied = await resources.positions.wait(after, resources.readAfterMs);
  resources.metrics.waited((performance.now() - startedAt) / 1_000, applied);
  return applied ? null : { code: "read_after_timeout" };
}
