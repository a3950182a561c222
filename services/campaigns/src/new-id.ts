import { randomBytes } from "node:crypto";

/**
 * A new id: the kind, the time in milliseconds and 80 random bits. Ids of a kind sort by the time they were
 * made, so that listings need no other order and an index grows at its end.
 */
export function newId(kind: "tpl" | "cmp" | "bat", nowMs: number): string {
  return `${kind}_${nowMs.toString(16).padStart(12, "0")}${randomBytes(10).toString("hex")}`;
}
