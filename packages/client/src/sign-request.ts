import { createHash, createHmac } from "node:crypto";

export interface RequestToSign {
  method: string;
  /** Path and query exactly as they are sent, e.g. `/v1/users/u1/coupons?limit=10`. */
  path: string;
  /** Bytes exactly as they are sent; left out where there is no body. */
  body?: string | Uint8Array;
  idempotencyKey?: string;
  keyId: string;
  /** The key's secret in base64, or its bytes. */
  secret: string | Uint8Array;
  /** Seconds since the Unix epoch; now unless given. */
  createdSeconds?: number;
}

/**
 * Signs a request after the platform's subset of RFC 9421 and returns the headers to add to it:
 * `signature-input`, `signature`, and where they apply `content-digest` and `idempotency-key`.
 */
export function signRequest(request: RequestToSign): Record<string, string> {
  const mark = request.path.indexOf("?");
  const path = mark < 0 ? request.path : request.path.slice(0, mark);
  const query = mark < 0 ? "?" : request.path.slice(mark);
  const headers: Record<string, string> = {};
  let components = '"@method" "@path" "@query"';
  let base = `"@method": ${request.method}\n"@path": ${path}\n"@query": ${query}\n`;
  if (request.body !== undefined && request.body.length > 0) {
    const digest = `sha-256=:${createHash("sha256").update(request.body).digest("base64")}:`;
    headers["content-digest"] = digest;
    components += ' "content-digest"';
    base += `"content-digest": ${digest}\n`;
  }
  if (request.idempotencyKey !== undefined) {
    headers["idempotency-key"] = request.idempotencyKey;
    components += ' "idempotency-key"';
    base += `"idempotency-key": ${request.idempotencyKey}\n`;
  }
  const created = request.createdSeconds ?? Math.floor(Date.now() / 1000);
  const params = `(${components});created=${created};keyid="${request.keyId}";alg="hmac-sha256"`;
  const secret = typeof request.secret === "string" ? Buffer.from(request.secret, "base64") : request.secret;
  const mac = createHmac("sha256", secret).update(`${base}"@signature-params": ${params}`).digest("base64");
  headers["signature-input"] = `sig1=${params}`;
  headers.signature = `sig1=:${mac}:`;
  return headers;
}
