import type { Refusal } from "@coupon/domain";
import { createBreaker } from "@coupon/service-kit";
import type { Registry } from "prom-client";
import { Pool } from "undici";
import type { CallerKey } from "./callers.ts";
import { standingVerdict } from "./verdict.ts";

export interface LedgerReadsResources {
  ledgerUrl: string;
  internalToken: string;
  timeoutMs: number;
  registry: Registry;
}

export interface ForwardedAnswer {
  status: number;
  contentType: string;
  body: string;
  retryAfter: string | undefined;
}

export type OrderCoupons = { kind: "found"; couponIds: string[] } | { kind: "refused"; refusal: Refusal };

/** On whose behalf the front reads. */
export type Reader = Pick<CallerKey, "callerId" | "sandbox" | "caller">;

/** What goes along with a read; `traceparent` is of the trace that it is part of. */
export interface ReadContext {
  traceparent: string;
  readAfter?: string | undefined;
}

/** Reads that the ledger answers: forwarded as they are, behind a breaker. */
export interface LedgerReads {
  /** The ledger's own answer to a caller's read, or `ledger_unavailable`. */
  forward(caller: Reader, pathAndQuery: string, context: ReadContext): Promise<ForwardedAnswer | Refusal>;
  /** Coupons that the caller's order redeemed; `ledger_behind` while it is unknown and the ledger is behind. */
  couponsOfOrder(caller: Reader, orderId: string, traceparent: string): Promise<OrderCoupons>;
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 32;

export function createLedgerReads({
  ledgerUrl,
  internalToken,
  timeoutMs,
  registry,
}: LedgerReadsResources): LedgerReads {
  const pool = new Pool(ledgerUrl, {
    connections: CONNECTIONS_MAX,
    connect: { timeout: 1_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const get = async (
    path: string,
    caller: Reader,
    { traceparent, readAfter }: ReadContext,
  ): Promise<ForwardedAnswer> => {
    // The ledger knows what is not found, which goes before.
    const refusal = standingVerdict(caller);
    const { statusCode, headers, body } = await pool.request({
      method: "GET",
      path,
      headers: {
        authorization: `Bearer ${internalToken}`,
        "x-caller-id": caller.callerId,
        "x-caller-sandbox": String(caller.sandbox),
        traceparent,
        ...(refusal === null ? {} : { "x-caller-refusal": refusal }),
        ...(readAfter === undefined ? {} : { "read-after": readAfter }),
      },
    });
    return {
      status: statusCode,
      contentType: String(headers["content-type"] ?? "application/json"),
      body: await body.text(),
      retryAfter: headers["retry-after"] === undefined ? undefined : String(headers["retry-after"]),
    };
  };
  const guarded = createBreaker(get, { name: "ledger", timeoutMs, registry });
  const unavailable: Refusal = { code: "ledger_unavailable", retryAfterSeconds: 1 };
  const forward: LedgerReads["forward"] = async (caller, path, context) => {
    const result = await guarded.call(path, caller, context);
    return result.ok ? result.value : unavailable;
  };
  return {
    forward,
    async couponsOfOrder(caller, orderId, traceparent) {
      const query = `callerId=${encodeURIComponent(caller.callerId)}&sandbox=${caller.sandbox}`;
      const path = `/internal/v1/orders/${encodeURIComponent(orderId)}/coupons?${query}`;
      const answer = await forward(caller, path, { traceparent });
      if ("code" in answer) return { kind: "refused", refusal: answer };
      if (answer.status !== 200) return { kind: "refused", refusal: unavailable };
      const { coupons, caughtUp } = JSON.parse(answer.body) as { coupons: { couponId: string }[]; caughtUp: boolean };
      if (coupons.length > 0) return { kind: "found", couponIds: coupons.map(({ couponId }) => couponId) };
      const refusal: Refusal = caughtUp ? { code: "order_not_found" } : { code: "ledger_behind", retryAfterSeconds: 1 };
      return { kind: "refused", refusal };
    },
    async close() {
      guarded.close();
      await pool.close();
    },
  };
}
