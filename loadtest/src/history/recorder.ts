import { signRequest } from "@coupon/client";
import { decodeLogPositions } from "@coupon/events";
import type { Answer, Operation } from "@coupon/history";
import { type Dispatcher, Pool } from "undici";

export interface RecordedCaller {
  callerId: string;
  keyId: string;
  secret: Buffer;
}

/** What each operation asks. */
export type Requests = { [Name in Operation["op"]]: Extract<Operation, { op: Name }>["request"] };
/** Operations that callers send. */
export type Sendable = Exclude<Operation["op"], "deactivate">;

const TIMEOUT_MS = 8_000;

/** Sends requests as callers do, once each, and remembers what was asked and told. */
export class HistoryRecorder {
  readonly operations: Operation[] = [];
  readonly #pools: Pool[];
  #id = 0;

  /** @param baseUrls one, or those of several processes, which `send` chooses from */
  constructor(baseUrls: string | readonly string[], connections = 32, timeoutMs = TIMEOUT_MS) {
    this.#pools = [baseUrls]
      .flat()
      .map((url) => new Pool(url, { connections, headersTimeout: timeoutMs, bodyTimeout: timeoutMs }));
  }

  /** Null where no answer came, or none that could be read. */
  async send<Name extends Sendable>(
    caller: RecordedCaller,
    op: Name,
    request: Requests[Name],
    client = "test",
    at = 0,
  ): Promise<Answer | null> {
    this.#id += 1;
    const operation = {
      ...{ id: this.#id, callerId: caller.callerId, client, op, request },
      ...{ calledAtMs: performance.now(), returnedAtMs: null as number | null, answer: null as Answer | null },
    };
    // Remembered before it is sent: what never comes back may have happened, too.
    this.operations.push(operation as unknown as Operation);
    try {
      const answer = await this.#exchange(at, caller, ...messageOf(op, request));
      operation.returnedAtMs = performance.now();
      operation.answer = answer;
      return answer;
    } catch {
      return null;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }

  async #exchange(
    at: number,
    { keyId, secret }: RecordedCaller,
    method: Dispatcher.HttpMethod,
    path: string,
    content: object | null,
    key?: string,
  ): Promise<Answer> {
    const body = content === null ? undefined : JSON.stringify(content);
    const signed = signRequest({
      ...{ method, path, keyId, secret },
      ...(body === undefined ? {} : { body }),
      ...(key === undefined ? {} : { idempotencyKey: key }),
    });
    const headers = {
      ...signed,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    };
    const pool = this.#pools[at];
    if (pool === undefined) throw new RangeError(`there is no process ${at}`);
    const response = await pool.request({ method, path, headers, body: body ?? null });
    const text = await response.body.text();
    const position = String(response.headers["log-position"] ?? "");
    const positions = position === "" ? [] : [...(decodeLogPositions(position) ?? [])];
    return {
      status: response.statusCode,
      body: text === "" ? {} : JSON.parse(text),
      positions: positions.map(([partition, offset]) => ({ partition, offset })),
      replayed: response.headers["idempotent-replayed"] === "true",
    };
  }
}

type Message = [method: Dispatcher.HttpMethod, path: string, content: object | null, key?: string];

/** How each operation goes over the wire. Reads that carry `readAfter` are not sent by this recorder. */
function messageOf<Name extends Sendable>(op: Name, request: Requests[Name]): Message {
  const make: { [One in Sendable]: (request: Requests[One]) => Message } = {
    claim: ({ batchId, userId, idempotencyKey }) => [
      "POST",
      `/v1/batches/${batchId}/claims`,
      { userId },
      idempotencyKey,
    ],
    grant: ({ batchId, grants }) => ["POST", `/v1/batches/${batchId}/grants`, { grants }],
    lock: ({ orderId, ...body }) => ["POST", `/v1/orders/${orderId}/lock`, body],
    redeem: ({ orderId, ...body }) => ["POST", `/v1/orders/${orderId}/redeem`, body],
    release: ({ orderId, ...body }) => ["POST", `/v1/orders/${orderId}/release`, body],
    reverse: ({ orderId, idempotencyKey, ask, ...body }) => [
      "POST",
      `/v1/orders/${orderId}/reversals`,
      { ...ask, ...body },
      idempotencyKey,
    ],
    readCoupon: ({ couponId, userId }) => ["GET", `/v1/coupons/${couponId}?userId=${encodeURIComponent(userId)}`, null],
    readOrder: ({ orderId }) => ["GET", `/v1/orders/${orderId}`, null],
    listCoupons: ({ userId, batchId }) => [
      "GET",
      `/v1/users/${userId}/coupons${batchId === undefined ? "" : `?batchId=${batchId}`}`,
      null,
    ],
  };
  return make[op](request);
}
