import { Pool } from "undici";

export interface InternalAnswer {
  status: number;
  /** Parsed JSON; null where the answer had none. */
  body: unknown;
}

export interface InternalHttp {
  /** @throws where the service can't be reached, is too slow, or answers with 500 or above */
  request(method: "GET" | "POST", path: string, body?: object): Promise<InternalAnswer>;
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 8;
const BODY_BYTES_MAX = 1024 * 1024;

/**
 * Calls between our own services: one bounded pool of connections, a bearer secret, bounded waits.
 *
 * @param timeoutMs longest wait for an answer, in milliseconds
 */
export function createInternalHttp(baseUrl: string, token: string, timeoutMs: number): InternalHttp {
  const pool = new Pool(new URL(baseUrl).origin, {
    connections: CONNECTIONS_MAX,
    connect: { timeout: Math.min(timeoutMs, 1_000) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: BODY_BYTES_MAX,
  });
  return {
    async request(method, path, body) {
      const answer = await pool.request({
        method,
        path,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 500) throw new Error(`${path} answered ${answer.statusCode}`);
      return { status: answer.statusCode, body: text === "" ? null : JSON.parse(text) };
    },
    close: () => pool.destroy(),
  };
}
