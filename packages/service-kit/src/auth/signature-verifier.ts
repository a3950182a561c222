import type { IncomingHttpHeaders } from "node:http";
import { digestMatches } from "./content-digest.ts";
import { MacChecker, type MacKey, prepareMacKey } from "./mac.ts";
import { coveredComponents, readSignatureInput } from "./signature-input.ts";

/** A caller's key. Keep one object per key: what is computed for it is remembered by its identity. */
export interface SigningKey {
  callerId: string;
  /** The HMAC key's bytes. */
  secret: Buffer;
  revoked: boolean;
}

export interface SignedRequest {
  /** In capitals, as it came. */
  method: string;
  /** The request target as it came: path and query, not decoded. */
  url: string;
  headers: IncomingHttpHeaders;
  /** Null where there is no body. */
  rawBody: Buffer | null;
  /** Set where the body was too large to be read: it counts as there, and its digest is not checked. */
  bodyUnread?: boolean;
}

export type SignatureRefusal =
  | "signature_missing"
  | "signature_invalid"
  | "signature_expired"
  | "key_unknown"
  | "key_revoked";

export type SignatureVerdict<Key extends SigningKey> =
  | { ok: true; key: Key }
  | { ok: false; code: SignatureRefusal; detail?: string };

export interface SignatureVerifier<Key extends SigningKey> {
  verify(request: SignedRequest): SignatureVerdict<Key>;
}

export interface SignatureVerifierOptions<Key extends SigningKey> {
  findKey(keyId: string): Key | undefined;
  /** Milliseconds since the Unix epoch; the system's clock unless given. */
  nowMs?: () => number;
}

/** A signature is accepted while the clock is within so many milliseconds of its `created`. */
export const signatureToleranceMs = 300_000;

interface Prepared<Key extends SigningKey> {
  mac: MacKey;
  accepted: SignatureVerdict<Key>;
}

/**
 * Verifies requests signed after the subset of RFC 9421 that `docs/signing.md` describes. Refusals, in their order of
 * precedence: `signature_missing`; `signature_invalid` where the headers are not of the accepted form or, of a known key,
 * the MAC or the digest differs; `signature_expired`; `key_unknown`; and `key_revoked`, which only the key's holder learns.
 */
export function createSignatureVerifier<Key extends SigningKey>(
  options: SignatureVerifierOptions<Key>,
): SignatureVerifier<Key> {
  const nowMs = options.nowMs ?? Date.now;
  const checker = new MacChecker();
  const preparedKeys = new WeakMap<Key, Prepared<Key>>();

  const prepare = (key: Key): Prepared<Key> => {
    const made: Prepared<Key> = { mac: prepareMacKey(key.secret), accepted: { ok: true, key } };
    preparedKeys.set(key, made);
    return made;
  };

  const isInTime = (createdSeconds: number) => Math.abs(nowMs() - createdSeconds * 1000) <= signatureToleranceMs;

  const verify = (request: SignedRequest): SignatureVerdict<Key> => {
    const { headers, rawBody } = request;
    const { "signature-input": inputHeader, signature } = headers;
    if (typeof inputHeader !== "string" || typeof signature !== "string") return missing;
    const digest = headers["content-digest"];
    const idempotencyKey = headers["idempotency-key"];
    if (digest === undefined && (rawBody !== null || request.bodyUnread === true)) return digestMissing;
    if (Array.isArray(digest) || Array.isArray(idempotencyKey)) return malformed;
    const components = coveredComponents(digest !== undefined, idempotencyKey !== undefined);
    const input = readSignatureInput(inputHeader, components);
    if (input === null) return malformed;
    const key = options.findKey(input.keyId);
    if (key === undefined) return isInTime(input.createdSeconds) ? unknown : expired;
    const { mac, accepted } = preparedKeys.get(key) ?? prepare(key);
    const base = signatureBase(request, digest, idempotencyKey, input.params);
    if (base === null || !checker.matches(mac, base, signature)) return different;
    if (digest !== undefined && request.bodyUnread !== true && !digestMatches(digest, rawBody ?? nothing)) {
      return digestWrong;
    }
    if (!isInTime(input.createdSeconds)) return expired;
    return key.revoked ? revoked : accepted;
  };
  return { verify };
}

const nothing = Buffer.alloc(0);

const missing = { ok: false, code: "signature_missing" } as const;
const malformed = {
  ok: false,
  code: "signature_invalid",
  detail:
    'Signature-Input must be sig1=("@method" "@path" "@query"), with "content-digest" and then "idempotency-key" ' +
    "where the request has those headers, and created, keyid and alg each once, spelled as in docs/signing.md.",
} as const;
const digestMissing = {
  ok: false,
  code: "signature_invalid",
  detail: "A request with a body must carry a Content-Digest with its sha-256 and cover it.",
} as const;
const digestWrong = {
  ok: false,
  code: "signature_invalid",
  detail: "The Content-Digest is not the sha-256 of the body.",
} as const;
const different = { ok: false, code: "signature_invalid" } as const;
const unknown = { ok: false, code: "key_unknown" } as const;
const expired = { ok: false, code: "signature_expired" } as const;
const revoked = { ok: false, code: "key_revoked" } as const;

/** The signature base of RFC 9421, section 2.5; null where the target is not a path. */
function signatureBase(
  { method, url }: SignedRequest,
  digest: string | undefined,
  idempotencyKey: string | undefined,
  params: string,
): string | null {
  if (url.charCodeAt(0) !== 0x2f) return null;
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? "?" : url.slice(mark);
  let base = `"@method": ${method}\n"@path": ${path}\n"@query": ${query}\n`;
  if (digest !== undefined) base += `"content-digest": ${digest}\n`;
  if (idempotencyKey !== undefined) base += `"idempotency-key": ${idempotencyKey}\n`;
  return `${base}"@signature-params": ${params}`;
}
