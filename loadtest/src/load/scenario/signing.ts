import crypto from "k6/crypto";
import encoding from "k6/encoding";

/** A caller's key as the scenario is given it. */
export interface SigningKey {
  keyId: string;
  /** Base64; the HMAC key is what it decodes to. */
  secret: string;
}

/**
 * Headers of a signed POST after API.md: RFC 9421 with label `sig1` and hmac-sha256, over method, path, query,
 * content digest and, where there is one, the idempotency key. The path has no query.
 */
export function signedHeaders(
  key: SigningKey,
  path: string,
  body: string,
  idempotencyKey?: string,
): Record<string, string> {
  const digest = `sha-256=:${crypto.sha256(body, "base64")}:`;
  const keyed = idempotencyKey === undefined ? "" : ' "idempotency-key"';
  const created = Math.floor(Date.now() / 1000);
  const parameters = `("@method" "@path" "@query" "content-digest"${keyed});created=${created};keyid="${key.keyId}";alg="hmac-sha256"`;
  const base =
    `"@method": POST\n"@path": ${path}\n"@query": ?\n"content-digest": ${digest}\n` +
    (idempotencyKey === undefined ? "" : `"idempotency-key": ${idempotencyKey}\n`) +
    `"@signature-params": ${parameters}`;
  const secret = encoding.b64decode(key.secret, "std");
  return {
    "content-type": "application/json",
    "content-digest": digest,
    "signature-input": `sig1=${parameters}`,
    signature: `sig1=:${crypto.hmac("sha256", secret, base, "base64")}:`,
    ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
  };
}
