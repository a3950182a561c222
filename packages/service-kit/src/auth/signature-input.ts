/** What a `Signature-Input` header says, once it is found to be one that we accept. */
export interface SignatureInput {
  /** Text after `sig1=`: the value of `@signature-params` in the signature base. */
  params: string;
  /** Seconds since the Unix epoch. */
  createdSeconds: number;
  keyId: string;
}

const label = "sig1=";
const createdName = ";created=";
const keyIdName = ';keyid="';
const algorithm = ';alg="hmac-sha256"';
const keyIdLengthMax = 128;
const createdDigitsMax = 12;

const always = '("@method" "@path" "@query"';
const digest = ' "content-digest"';
const idempotencyKey = ' "idempotency-key"';

/** The component list that a request must cover, by which of the two headers it carries. */
export function coveredComponents(hasDigest: boolean, hasIdempotencyKey: boolean): string {
  return lists[(hasDigest ? 1 : 0) + (hasIdempotencyKey ? 2 : 0)] as string;
}

const lists = [
  `${always})`,
  `${always}${digest})`,
  `${always}${idempotencyKey})`,
  `${always}${digest}${idempotencyKey})`,
];

/**
 * Reads a `Signature-Input` of the one form that we take: label `sig1`, exactly the given components,
 * then `created`, `keyid` and perhaps `alg`, each once, in any order, in the canonical spelling of
 * RFC 8941. Null for anything else. Scanned by hand: a structured-field parser costs more than the MAC.
 */
export function readSignatureInput(header: string, components: string): SignatureInput | null {
  if (!header.startsWith(label) || !header.startsWith(components, label.length)) return null;
  let at = label.length + components.length;
  let createdSeconds = -1;
  let keyId = "";
  let hasAlgorithm = false;
  while (at < header.length) {
    if (header.startsWith(createdName, at)) {
      const start = at + createdName.length;
      const end = skipDigits(header, start);
      if (createdSeconds >= 0 || end === start || end - start > createdDigitsMax) return null;
      if (header.charCodeAt(start) === 0x30 && end - start > 1) return null;
      createdSeconds = Number(header.slice(start, end));
      at = end;
    } else if (header.startsWith(keyIdName, at)) {
      const start = at + keyIdName.length;
      const end = skipKeyId(header, start);
      if (keyId !== "" || end === start || end - start > keyIdLengthMax || header.charCodeAt(end) !== 0x22) return null;
      keyId = header.slice(start, end);
      at = end + 1;
    } else if (header.startsWith(algorithm, at)) {
      if (hasAlgorithm) return null;
      hasAlgorithm = true;
      at += algorithm.length;
    } else return null;
  }
  if (createdSeconds < 0 || keyId === "") return null;
  return { params: header.slice(label.length), createdSeconds, keyId };
}

function skipDigits(text: string, from: number): number {
  let at = from;
  while (at < text.length && isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** Key ids consist of letters, digits and `. _ : @ -`, so that no quoting ever arises. */
function skipKeyId(text: string, from: number): number {
  let at = from;
  while (at < text.length && isKeyIdCharacter(text.charCodeAt(at))) at++;
  return at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isKeyIdCharacter(code: number): boolean {
  const lower = code | 0x20;
  return (
    (lower >= 0x61 && lower <= 0x7a) ||
    (code >= 0x2d && code <= 0x3a && code !== 0x2f) ||
    code === 0x5f ||
    code === 0x40
  );
}
