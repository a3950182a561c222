import { hash } from "node:crypto";

const member = /^[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):[ \t]*$/;

/**
 * Whether a `Content-Digest` (RFC 9530) holds the right SHA-256 of `body`. It may list several
 * algorithms; `sha-256` must be among them, once, and only that one is looked at.
 */
export function digestMatches(header: string, body: Buffer): boolean {
  const expected = hash("sha256", body, "base64");
  if (header.length === expected.length + 10) return header === `sha-256=:${expected}:`;
  return listedDigest(header) === expected;
}

function listedDigest(header: string): string | null {
  let found: string | null = null;
  for (const text of header.split(",")) {
    const match = member.exec(text);
    if (match === null) return null;
    if (match[1] !== "sha-256") continue;
    if (found !== null) return null;
    found = match[2] as string;
  }
  return found;
}
