import { createHash, createHmac } from "node:crypto";
import type { SignedRequest, SigningKey } from "../src/index.ts";

export const keyId = "live_shop_1";
export const key: SigningKey = { callerId: "shop", secret: Buffer.alloc(32, 9), revoked: false };
export const revokedKeyId = "live_shop_0";
export const revokedKey: SigningKey = { callerId: "shop", secret: Buffer.alloc(32, 8), revoked: true };
export const keys = new Map([
  [keyId, key],
  [revokedKeyId, revokedKey],
]);

export interface ToSign {
  method: string;
  url: string;
  body?: string | Buffer;
  idempotencyKey?: string;
  createdSeconds?: number;
  keyId?: string;
  secret?: Buffer;
}

/** Headers of a signed request, constructed with createHmac and nothing of the kit. */
export function signedHeaders(request: ToSign): Record<string, string> {
  const headers: Record<string, string> = {};
  const mark = request.url.indexOf("?");
  const lines: [string, string][] = [
    ["@method", request.method],
    ["@path", mark < 0 ? request.url : request.url.slice(0, mark)],
    ["@query", mark < 0 ? "?" : request.url.slice(mark)],
  ];
  if (request.body !== undefined) {
    headers["content-digest"] = `sha-256=:${createHash("sha256").update(request.body).digest("base64")}:`;
    lines.push(["content-digest", headers["content-digest"]]);
  }
  if (request.idempotencyKey !== undefined) {
    headers["idempotency-key"] = request.idempotencyKey;
    lines.push(["idempotency-key", request.idempotencyKey]);
  }
  const created = request.createdSeconds ?? Math.floor(Date.now() / 1000);
  const names = lines.map(([name]) => `"${name}"`).join(" ");
  const params = `(${names});created=${created};keyid="${request.keyId ?? keyId}";alg="hmac-sha256"`;
  const base = [...lines, ["@signature-params", params]].map(([name, value]) => `"${name}": ${value}`).join("\n");
  const mac = createHmac("sha256", request.secret ?? key.secret).update(base);
  headers["signature-input"] = `sig1=${params}`;
  headers.signature = `sig1=:${mac.digest("base64")}:`;
  return headers;
}

export function signedRequest(request: ToSign): SignedRequest & { headers: Record<string, string> } {
  const { method, url, body } = request;
  return { method, url, headers: signedHeaders(request), rawBody: body === undefined ? null : Buffer.from(body) };
}
