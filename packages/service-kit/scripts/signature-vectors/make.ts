import { createHash, createHmac } from "node:crypto";

/** What a vector starts from; `sign` makes headers of it and negative ones then spoil something. */
export interface Draft {
  method: string;
  target: string;
  body: string | null;
  idempotencyKey?: string;
  keyId: string;
  createdSeconds: number;
  /** In place of `created`, `keyid`, `alg` in this order. */
  parameters?: string;
  /** In place of the components that the request must cover, as RFC 9421 names in quotes. */
  components?: string;
  /** In place of the one SHA-256. */
  contentDigest?: string;
}

export interface Vector {
  name: string;
  note: string;
  request: { method: string; target: string; headers: Record<string, string>; body: string | null };
  keyId: string;
  /** Text whose HMAC-SHA256 is the signature; lines are separated by one LF, none at the end. */
  signatureBase: string;
  signatureInput: string;
  signature: string;
  /** `accepted` or the code of the refusal. */
  verdict: string;
  /** Whether a signer that follows docs/signing.md step by step produces exactly this. */
  canonical: boolean;
}

const digestOf = (body: string) => `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;

/** Signs a draft by the book: nothing here is shared with the verifier or with the client. */
export function sign(draft: Draft, secret: Buffer): Omit<Vector, "name" | "note" | "verdict" | "canonical"> {
  const headers: Record<string, string> = {};
  if (draft.body !== null) {
    headers["content-type"] = "application/json";
    headers["content-digest"] = draft.contentDigest ?? digestOf(draft.body);
  }
  if (draft.idempotencyKey !== undefined) headers["idempotency-key"] = draft.idempotencyKey;
  const needed = ['"@method"', '"@path"', '"@query"'];
  if (draft.body !== null) needed.push('"content-digest"');
  if (draft.idempotencyKey !== undefined) needed.push('"idempotency-key"');
  const components = draft.components?.split(" ") ?? needed;
  const parameters = draft.parameters ?? `;created=${draft.createdSeconds};keyid="${draft.keyId}";alg="hmac-sha256"`;
  const params = `(${components.join(" ")})${parameters}`;
  const lines = components.map((component) => `${component}: ${componentValue(component, draft, headers)}`);
  const signatureBase = [...lines, `"@signature-params": ${params}`].join("\n");
  const signature = `sig1=:${createHmac("sha256", secret).update(signatureBase).digest("base64")}:`;
  headers["signature-input"] = `sig1=${params}`;
  headers.signature = signature;
  return {
    request: { method: draft.method, target: draft.target, headers, body: draft.body },
    keyId: draft.keyId,
    signatureBase,
    signatureInput: `sig1=${params}`,
    signature,
  };
}

function componentValue(component: string, draft: Draft, headers: Record<string, string>): string {
  const [path, ...rest] = draft.target.split("?");
  switch (component) {
    case '"@method"':
      return draft.method;
    case '"@path"':
      return path as string;
    case '"@query"':
      return `?${rest.join("?")}`;
    case '"@authority"':
      return "coupons.example";
    default:
      return headers[component.slice(1, -1)] ?? "";
  }
}
