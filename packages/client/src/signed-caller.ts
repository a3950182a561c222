import type { Dispatcher } from "undici";
import { defaultRetryPolicy, type RetryPolicy } from "./back-off.ts";
import { type CallSettings, makeCall } from "./call.ts";
import type { Result } from "./result.ts";
import { signRequest } from "./sign-request.ts";
import { Transport } from "./transport.ts";

export interface ConnectionOptions extends Partial<RetryPolicy> {
  /** Bound on one attempt in milliseconds; 10,000 unless told. */
  timeoutMs?: number;
  /** Connections to each origin; 128 unless told. */
  connections?: number;
  /** Sends the requests instead of a pool of its own; not closed by `close`. */
  dispatcher?: Dispatcher;
}

export interface CouponClientOptions extends ConnectionOptions {
  /** Origin of the callers' API, e.g. `https://coupons.example`. */
  baseUrl: string;
  /** Origins of the calls on orders and of the reads of users and coupons, where they differ. */
  redemptionUrl?: string;
  walletUrl?: string;
  keyId: string;
  /** In base64, as it was handed out. */
  secret: string;
}

/** Which origin serves a call. */
export type Part = "issuing" | "redemption" | "wallet";

export interface SignedCall {
  method: "GET" | "POST";
  path: string;
  body?: unknown;
  idempotencyKey?: string;
  readAfter?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Makes connection settings out of options and defaults. */
export function connect(baseUrl: string, options: ConnectionOptions): CallSettings {
  const { timeoutMs = 10_000, connections = 128, dispatcher } = options;
  const policy: RetryPolicy = {
    attemptsMax: options.attemptsMax ?? defaultRetryPolicy.attemptsMax,
    deadlineMs: options.deadlineMs ?? defaultRetryPolicy.deadlineMs,
    backOffMs: options.backOffMs ?? defaultRetryPolicy.backOffMs,
    backOffMaxMs: options.backOffMaxMs ?? defaultRetryPolicy.backOffMaxMs,
  };
  return { transport: new Transport({ baseUrl, timeoutMs, connections, dispatcher }), policy, random: Math.random };
}

/** Signs and makes calls to the parts of the callers' API. */
export class SignedCaller {
  readonly #keyId: string;
  readonly #secret: Buffer;
  readonly #parts: Record<Part, CallSettings>;

  constructor(options: CouponClientOptions) {
    const secret = Buffer.from(options.secret, "base64");
    if (secret.length === 0 || secret.toString("base64") !== options.secret)
      throw new TypeError("secret must be base64");
    this.#keyId = options.keyId;
    this.#secret = secret;
    const issuing = connect(options.baseUrl, options);
    this.#parts = {
      issuing,
      redemption: options.redemptionUrl === undefined ? issuing : connect(options.redemptionUrl, options),
      wallet: options.walletUrl === undefined ? issuing : connect(options.walletUrl, options),
    };
  }

  get policy(): RetryPolicy {
    return this.#parts.issuing.policy;
  }

  call<Value>(part: Part, call: SignedCall): Promise<Result<Value>> {
    const { method, path, idempotencyKey } = call;
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    return makeCall<Value>(this.#parts[part], {
      repeatable: true,
      idempotencyKey,
      signal: call.signal,
      build: () => {
        const headers = signRequest({
          method,
          path,
          keyId: this.#keyId,
          secret: this.#secret,
          ...(body === undefined ? {} : { body }),
          ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        });
        if (body !== undefined) headers["content-type"] = "application/json";
        if (call.readAfter !== undefined) headers["read-after"] = call.readAfter;
        return { method, path, headers, ...(body === undefined ? {} : { body }) };
      },
    });
  }

  async close(): Promise<void> {
    await Promise.all([...new Set(Object.values(this.#parts))].map(({ transport }) => transport.close()));
  }
}
