import { randomBytes } from "node:crypto";

/**
 * A name that no other test has: for key prefixes, topics, schemas, users. Lower-case letters, digits and one
 * dash, so that it is legal in all of them. 48 random bits.
 */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(6).toString("hex")}`;
}
