import { setTimeout as sleep } from "node:timers/promises";
import { type RetryPolicy, waitMs } from "./back-off.ts";
import type { Refusal, Refused, Result, Unknown } from "./result.ts";
import { type Attempt, type Transport, textOf, type WireRequest } from "./transport.ts";

/** One call, which may take several attempts. */
export interface Call {
  /** Makes the request anew for each attempt: a signature has its time, a token may be refreshed. */
  build(): WireRequest | Promise<WireRequest>;
  /**
   * Whether sending it twice does it once: true of reads and of changes that name their outcome. Others
   * are repeated only after a refusal that says that nothing was done.
   */
  repeatable: boolean;
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface CallSettings {
  transport: Transport;
  policy: RetryPolicy;
  /** From 0 up to 1. */
  random: () => number;
}

/** Makes a call: sends, waits and sends again within the policy's bounds. Rejects only when aborted. */
export async function makeCall<Value>({ transport, policy, random }: CallSettings, call: Call): Promise<Result<Value>> {
  const endMs = performance.now() + policy.deadlineMs;
  const facts = call.idempotencyKey === undefined ? {} : { idempotencyKey: call.idempotencyKey };
  let doubt: Unknown | undefined;
  for (let attempts = 1; ; attempts++) {
    const attempt = await transport.send(await call.build(), endMs - performance.now(), call.signal);
    if (attempt.kind === "answer") return { ...success<Value>(attempt, attempts), ...facts };
    call.signal?.throwIfAborted();
    const failure = { ...toFailure(attempt, attempts), ...facts };
    if (failure.outcome === "unknown") doubt = failure;
    const result = settle(failure, doubt);
    if (!mayRepeat(attempt, call.repeatable) || attempts >= policy.attemptsMax) return result;
    const pauseMs = waitMs(policy, attempts, failure.refusal?.retryAfterSeconds, random);
    if (performance.now() + pauseMs >= endMs) return result;
    await sleep(pauseMs, undefined, call.signal === undefined ? {} : { signal: call.signal });
  }
}

function success<Value>({ status, body, headers }: Extract<Attempt, { kind: "answer" }>, attempts: number) {
  const replayed = textOf(headers["idempotent-replayed"]) === "true";
  return {
    ok: true,
    value: (status === 204 ? undefined : body) as Value,
    replayed,
    logPosition: textOf(headers["log-position"]),
    etag: textOf(headers.etag),
    requestId: textOf(headers["request-id"]),
    attempts,
  } as const;
}

function toFailure(attempt: Exclude<Attempt, { kind: "answer" }>, attempts: number): Refused | Unknown {
  const { requestId } = attempt;
  if (attempt.kind === "lost") {
    return { ok: false, outcome: "unknown", reason: attempt.reason, cause: attempt.cause, requestId, attempts };
  }
  const { refusal } = attempt;
  return refusal.outcome === "none"
    ? { ok: false, outcome: "none", refusal, requestId, attempts }
    : { ok: false, outcome: "unknown", reason: "refused", refusal, requestId, attempts };
}

/**
 * A no does not always settle an earlier attempt in doubt: a service that is overloaded, or does not
 * take the signature any more, has not looked whether that attempt succeeded.
 */
function settle(failure: Refused | Unknown, doubt: Unknown | undefined): Refused | Unknown {
  if (failure.outcome === "unknown" || doubt === undefined || settlesDoubt(failure.refusal)) return failure;
  return { ...doubt, attempts: failure.attempts, refusal: failure.refusal, reason: "refused" };
}

function settlesDoubt({ status, retryable }: Refusal): boolean {
  return !retryable && status !== 401 && status !== 404 && status < 500;
}

/** A 409 that may pass in time is the caller's to wait for, unless the service says how long. */
function mayRepeat(attempt: Exclude<Attempt, { kind: "answer" }>, repeatable: boolean): boolean {
  if (attempt.kind === "lost") return repeatable;
  const { retryable, outcome, status, retryAfterSeconds } = attempt.refusal;
  if (!retryable || (outcome === "unknown" && !repeatable)) return false;
  return status >= 500 || status === 429 || status === 408 || retryAfterSeconds !== undefined;
}
