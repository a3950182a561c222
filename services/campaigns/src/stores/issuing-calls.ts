import { type Refusal, type RefusalCode, refusals } from "@coupon/domain";
import { type Breaker, createBreaker, type InternalAnswer, type InternalHttp } from "@coupon/service-kit";
import type { Registry } from "prom-client";
import { done, inDoubt, type Outcome, refused } from "./transact.ts";

export interface DeactivatedCoupon {
  couponId: string;
  batchId: string;
  state: "deactivated";
}

export interface IssuingCalls {
  /**
   * Deactivates a coupon where it lives. May be repeated. Refused: what issuing refuses, and
   * `shard_recovering` where issuing can't be reached. `traceparent` is of the trace that it is part of.
   */
  deactivateCoupon(couponId: string, reason: string, traceparent: string): Promise<Outcome<DeactivatedCoupon>>;
  close(): Promise<void>;
}

/** Issuing's internal API, behind a breaker. */
export function createIssuingCalls(
  http: InternalHttp,
  options: { timeoutMs: number; registry: Registry },
): IssuingCalls {
  const deactivate = (couponId: string, reason: string, traceparent: string) =>
    http.request("POST", `/internal/v1/coupons/${couponId}/deactivate`, { body: { reason }, traceparent });
  const breaker: Breaker<[string, string, string], InternalAnswer> = createBreaker(deactivate, {
    name: "issuing",
    ...options,
  });
  return {
    async deactivateCoupon(couponId, reason, traceparent) {
      const answer = await breaker.call(couponId, reason, traceparent);
      if (!answer.ok) {
        return inDoubt({ code: "shard_recovering", detail: "Issuing did not answer; send the same request again." });
      }
      const { status, body, attempted } = answer.value;
      if (status === 200) return done(body as DeactivatedCoupon);
      // "Not now" of one process says nothing of what another one did before it was cut off.
      return status === 503 && attempted === true ? inDoubt(passOn(body)) : refused(passOn(body));
    },
    async close() {
      breaker.close();
      await http.close();
    },
  };
}

/** Issuing's own refusal, if it is one of ours. */
function passOn(body: unknown): Refusal {
  const code = (body as { code?: unknown } | null)?.code;
  if (typeof code !== "string" || !Object.hasOwn(refusals, code) || code === "token_invalid") {
    throw new Error(`issuing refused with ${String(code)}`);
  }
  const { detail, retryAfterSeconds } = body as { detail?: unknown; retryAfterSeconds?: unknown };
  return {
    code: code as RefusalCode,
    ...(typeof detail === "string" ? { detail } : {}),
    ...(typeof retryAfterSeconds === "number" ? { retryAfterSeconds } : {}),
  };
}
