/** What `If-Match` asks of a resource's version. */
export type Precondition = { kind: "any" } | { kind: "one_of"; versions: readonly number[] };

/**
 * Reads `If-Match` (RFC 9110, 13.1.1): `*`, or ETags of which one must be the current one. A weak tag never
 * matches, and neither does one that is none of ours. Null where the header is missing.
 */
export function parseIfMatch(header: string | undefined): Precondition | null {
  if (header === undefined) return null;
  const value = header.trim();
  if (value === "*") return { kind: "any" };
  const versions = value.split(",").flatMap((tag) => {
    const digits = /^"([1-9]\d{0,9})"$/.exec(tag.trim())?.[1];
    return digits === undefined ? [] : [Number(digits)];
  });
  return { kind: "one_of", versions };
}

export function matches(precondition: Precondition, version: number): boolean {
  return precondition.kind === "any" || precondition.versions.includes(version);
}

/** A resource's version as its strong ETag. */
export function etagOf(version: number): string {
  return `"${version}"`;
}
