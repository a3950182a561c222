import { createHash, createHmac } from "node:crypto";

export interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Headers;
}

export interface CallOptions {
  idempotencyKey?: string;
  headers?: Record<string, string>;
  /** Sent as it is instead of `body`. */
  rawBody?: string;
  /** Signed so much later (or, below 0, earlier) than now. */
  createdOffsetSeconds?: number;
}

/** Signs requests the long way, apart from the SDK and the verifier. */
export class SignedCaller {
  readonly callerId: string;
  readonly keyId: string;
  readonly secret: Buffer;
  baseUrl = "";

  constructor(callerId: string, keyId: string, secret: Buffer) {
    this.callerId = callerId;
    this.keyId = keyId;
    this.secret = secret;
  }

  async call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    const text = options.rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
    const headers = { ...this.headers(method, path, text, options), ...options.headers };
    const response = await fetch(this.baseUrl + path, {
      method,
      headers,
      ...(text === undefined ? {} : { body: text }),
    });
    const answer = await response.text();
    return { status: response.status, body: answer === "" ? {} : JSON.parse(answer), headers: response.headers };
  }

  headers(method: string, path: string, text: string | undefined, options: CallOptions): Record<string, string> {
    const [rawPath, query] = path.split("?");
    const components: [string, string][] = [
      ["@method", method],
      ["@path", rawPath ?? "/"],
      ["@query", `?${query ?? ""}`],
    ];
    const headers: Record<string, string> = {};
    if (text !== undefined) {
      headers["content-type"] = "application/json";
      headers["content-digest"] = `sha-256=:${createHash("sha256").update(text).digest("base64")}:`;
      components.push(["content-digest", headers["content-digest"]]);
    }
    if (options.idempotencyKey !== undefined) {
      headers["idempotency-key"] = options.idempotencyKey;
      components.push(["idempotency-key", options.idempotencyKey]);
    }
    const names = components.map(([name]) => `"${name}"`).join(" ");
    const created = Math.floor(Date.now() / 1000) + (options.createdOffsetSeconds ?? 0);
    const input = `(${names});created=${created};keyid="${this.keyId}";alg="hmac-sha256"`;
    const base = [...components.map(([name, value]) => `"${name}": ${value}`), `"@signature-params": ${input}`].join(
      "\n",
    );
    headers["signature-input"] = `sig1=${input}`;
    headers.signature = `sig1=:${createHmac("sha256", this.secret).update(base).digest("base64")}:`;
    return headers;
  }

  claim(batchId: string, userId: string, key: string): Promise<Answer> {
    return this.call("POST", `/v1/batches/${batchId}/claims`, { userId }, { idempotencyKey: key });
  }
}
