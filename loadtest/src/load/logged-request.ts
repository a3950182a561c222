import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** What a load run remembers of a request that it made: the line that the scenario logs, one JSON object each. */
export interface LoggedRequest {
  operation: "claim" | "redeem";
  requestId: string;
  /** Idempotency key of a claim; order id of a redemption. */
  key: string;
  userId: string;
  /** Coupon that a claim was answered with, or that a redemption asks for; "" for none. */
  couponId: string;
  /** HTTP status; 0 where no answer came. */
  status: number;
  /** Code of a refusal; "" where there is none. */
  code: string;
  /** `success`; `refused`: known to have changed nothing; `unknown`: it may or may not have happened. */
  outcome: "success" | "refused" | "unknown";
}

/** Reads a line. Throws where it is not one, for a log that can't be read can't be judged. */
export function parseLoggedRequest(line: string): LoggedRequest {
  const value = JSON.parse(line) as Partial<LoggedRequest>;
  const { operation, requestId, key, userId, couponId, status, code, outcome } = value;
  const known = operation === "claim" || operation === "redeem";
  const judged = outcome === "success" || outcome === "refused" || outcome === "unknown";
  const texts = [requestId, key, userId, couponId, code].every((it) => typeof it === "string");
  if (!known || !judged || !texts || typeof status !== "number") throw new Error(`Not a logged request: ${line}`);
  return value as LoggedRequest;
}

/** Reads a log of requests. Throws where a line of it is not one. */
export async function readRequests(file: string): Promise<LoggedRequest[]> {
  const requests: LoggedRequest[] = [];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (line !== "") requests.push(parseLoggedRequest(line));
  }
  return requests;
}
