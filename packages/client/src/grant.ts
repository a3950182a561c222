import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type RetryPolicy, waitMs } from "./back-off.ts";
import type { Refusal, Refused, Result, Unknown } from "./result.ts";
import type { Coupon, Open } from "./types.ts";

/** Grants that fit into one request. */
export const grantsPerRequestMax = 1_000;

export interface Grant {
  userId: string;
  /** 1–64 visible ASCII characters; made here unless given. */
  idempotencyKey?: string;
}

/** What became of one grant. */
export interface GrantOutcome {
  userId: string;
  idempotencyKey: string;
  /** `unavailable`: not now, or not known; the same grant under the same key may be sent again. */
  outcome: Open<"issued" | "replayed" | "refused" | "unavailable">;
  /** With `issued` and `replayed`. */
  coupon?: Coupon;
  /** With `refused` and `unavailable`; absent where no answer came. */
  problem?: Refusal;
}

export interface GrantResult {
  /** Every grant was issued, replayed or refused. */
  ok: boolean;
  /** One for each grant, in order. */
  outcomes: GrantOutcome[];
  /** Set where a request as a whole was refused or lost for good; the grants not decided are `unavailable`. */
  failure?: Refused | Unknown;
}

export interface GrantOptions {
  signal?: AbortSignal;
  /** Grants in one request; 500 unless told, at most 1,000. */
  chunkSize?: number;
  /** Requests under way at a time; 1 unless told. */
  concurrency?: number;
}

interface Answer {
  outcomes: Omit<GrantOutcome, "userId">[];
}

type Send = (body: { grants: Required<Grant>[] }) => Promise<Result<Answer>>;

/** Sends grants in chunks, and those that were unavailable again, until each is decided or the policy's bounds are met. */
export async function grantAll(
  send: Send,
  policy: RetryPolicy,
  grants: readonly Grant[],
  options: GrantOptions,
): Promise<GrantResult> {
  const size = options.chunkSize ?? 500;
  if (!Number.isInteger(size) || size < 1 || size > grantsPerRequestMax)
    throw new RangeError("chunkSize is 1 to 1,000");
  const all = grants.map(({ userId, idempotencyKey = randomUUID() }) => ({ userId, idempotencyKey }));
  const outcomes: GrantOutcome[] = all.map((grant) => ({ ...grant, outcome: "unavailable" }));
  const chunks: number[][] = [];
  for (let from = 0; from < all.length; from += size) {
    chunks.push(Array.from({ length: Math.min(size, all.length - from) }, (_, index) => from + index));
  }
  const run = { send, policy, all, outcomes, signal: options.signal };
  let failure: Refused | Unknown | undefined;
  let next = 0;
  const work = async () => {
    while (failure === undefined && next < chunks.length) {
      const chunk = chunks[next++] as number[];
      failure = (await grantChunk(run, chunk)) ?? failure;
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, options.concurrency ?? 1) }, work));
  const ok = failure === undefined && outcomes.every(({ outcome }) => outcome !== "unavailable");
  return { ok, outcomes, ...(failure === undefined ? {} : { failure }) };
}

interface Run {
  send: Send;
  policy: RetryPolicy;
  all: Required<Grant>[];
  outcomes: GrantOutcome[];
  signal: AbortSignal | undefined;
}

/** Returns the failure of a request as a whole; undefined where every answer came. */
async function grantChunk(run: Run, chunk: number[]): Promise<Refused | Unknown | undefined> {
  const { send, policy, all, outcomes } = run;
  const endMs = performance.now() + policy.deadlineMs;
  let left = chunk;
  for (let attempt = 1; left.length > 0; attempt++) {
    const result = await send({ grants: left.map((index) => all[index] as Required<Grant>) });
    if (!result.ok) return result;
    for (const [position, index] of left.entries()) {
      const outcome = result.value.outcomes[position];
      if (outcome !== undefined) outcomes[index] = { ...(all[index] as Required<Grant>), ...outcome };
    }
    left = left.filter((index) => outcomes[index]?.outcome === "unavailable");
    const pauseMs = waitMs(policy, attempt, longestWait(left, outcomes), Math.random);
    if (left.length === 0 || attempt >= policy.attemptsMax || performance.now() + pauseMs >= endMs) break;
    await sleep(pauseMs, undefined, run.signal === undefined ? {} : { signal: run.signal });
  }
  return undefined;
}

function longestWait(left: number[], outcomes: GrantOutcome[]): number | undefined {
  const waits = left.map((index) => outcomes[index]?.problem?.retryAfterSeconds ?? 0);
  return waits.length === 0 ? undefined : waits.reduce((a, b) => Math.max(a, b));
}
