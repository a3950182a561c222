/** Partitions that one `Read-After` may name. */
const POSITIONS_MAX = 64;
const POSITION_LENGTH_MAX = 64;

/** The opaque `Log-Position` of a message: base64url of `p<partition>-<offset>`. */
export function encodeLogPosition(partition: number, offset: number): string {
  return Buffer.from(`p${partition}-${offset}`).toString("base64url");
}

/**
 * Reads a `Read-After`: positions joined by commas, of each partition the furthest.
 * null where it is not made of at most 64 positions that `encodeLogPosition` gave.
 */
export function decodeLogPositions(text: string): Map<number, number> | null {
  if (text.length > POSITIONS_MAX * (POSITION_LENGTH_MAX + 2)) return null;
  const parts = text.split(",");
  if (parts.length > POSITIONS_MAX) return null;
  const positions = new Map<number, number>();
  for (const part of parts) {
    const position = decodeOne(part.trim());
    if (position === null) return null;
    const [partition, offset] = position;
    positions.set(partition, Math.max(offset, positions.get(partition) ?? 0));
  }
  return positions;
}

function decodeOne(part: string): [number, number] | null {
  const match = /^p(0|[1-9]\d{0,4})-(0|[1-9]\d{0,14})$/.exec(Buffer.from(part, "base64url").toString("latin1"));
  if (match === null) return null;
  const position: [number, number] = [Number(match[1]), Number(match[2])];
  return encodeLogPosition(...position) === part ? position : null;
}
