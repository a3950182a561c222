import { type RefusalCode, refusals } from "@coupon/domain";
import { Pool } from "undici";

export interface InternalAnswer {
  status: number;
  /** Parsed JSON; null where the answer had none. */
  body: unknown;
  /** Set where another address was asked before and cut the connection: it may have done what was asked. */
  attempted?: true;
}

export interface InternalAsk {
  body?: object;
  /** Trace on whose behalf the call is made. */
  traceparent?: string | undefined;
}

export interface InternalHttp {
  /**
   * What is asked may be asked again: where a connection fails, the next address is. A 503 with a code of the catalogue
   * is an answer like any other.
   *
   * @throws where no address can be reached, one is too slow, or answers with 500 or above
   */
  request(method: "GET" | "POST", path: string, ask?: InternalAsk): Promise<InternalAnswer>;
  close(): Promise<void>;
}

export interface InternalHttpOptions {
  /** Base addresses, joined by commas, of processes of which each can answer; the one that answered last is asked first. */
  addresses: string;
  token: string;
  /** Longest wait for an answer of one address. */
  timeoutMs: number;
  /** To each address; 8 unless told. */
  connectionsMax?: number;
}

const BODY_BYTES_MAX = 1024 * 1024;

/** Nothing was sent. */
const unreached = new Set([
  ...["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT"],
  "UND_ERR_CONNECT_TIMEOUT",
]);
/** It may have been sent, and there is no answer. */
const cut = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/** Calls between our own services: a bounded pool of connections to each address, a bearer secret, bounded waits. */
export function createInternalHttp(options: InternalHttpOptions): InternalHttp {
  const { timeoutMs, token } = options;
  const pools = splitAddresses(options.addresses).map(
    (address) =>
      new Pool(new URL(address).origin, {
        connections: options.connectionsMax ?? 8,
        connect: { timeout: Math.min(timeoutMs, 1_000) },
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        maxResponseSize: BODY_BYTES_MAX,
      }),
  );
  let first = 0;
  return {
    async request(method, path, ask = {}) {
      let attempted = false;
      for (let tried = 0; ; tried += 1) {
        const at = (first + tried) % pools.length;
        try {
          const answer = await exchange(pools[at] as Pool, token, method, path, ask);
          first = at;
          return attempted ? { ...answer, attempted } : answer;
        } catch (error) {
          const code = String((error as { code?: unknown }).code);
          const isLast = tried + 1 >= pools.length;
          if (isLast || !(unreached.has(code) || cut.has(code))) throw error;
          attempted ||= cut.has(code);
        }
      }
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
}

async function exchange(
  pool: Pool,
  token: string,
  method: "GET" | "POST",
  path: string,
  { body, traceparent }: InternalAsk,
): Promise<InternalAnswer> {
  const answer = await pool.request({
    method,
    path,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const status = answer.statusCode;
  const text = await answer.body.text();
  const parsed = status >= 500 ? parseRefusal(text) : text === "" ? null : JSON.parse(text);
  if (status >= 500 && (status !== 503 || parsed === null)) throw new Error(`${path} answered ${status}`);
  return { status, body: parsed };
}

function parseRefusal(text: string): { code: RefusalCode } | null {
  try {
    const body = JSON.parse(text) as { code?: unknown } | null;
    const isOurs = typeof body?.code === "string" && Object.hasOwn(refusals, body.code);
    return isOurs ? (body as { code: RefusalCode }) : null;
  } catch {
    return null;
  }
}

function splitAddresses(addresses: string): string[] {
  const all = addresses.split(",").map((address) => address.trim());
  return all.filter((address) => address !== "");
}
