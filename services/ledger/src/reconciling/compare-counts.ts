import type { ShardCount } from "@coupon/database";
import type { FullHeader } from "@coupon/redis";
import { leftOf } from "./shard-count.ts";

/** One counter in which a store differs from the log at the same entry. */
export interface CounterDrift {
  store: "redis" | "postgresql";
  /** The counter, in words of the store's documentation. */
  counter: string;
  expected: unknown;
  found: unknown;
}

const counters = [
  "number",
  "hash",
  "atMs",
  "issued",
  "dayStartMs",
  "dayIssued",
  "debited",
  "credited",
  "redemptions",
  "reversals",
  "restored",
  "deactivated",
  "discounted",
  "discountReversed",
] as const satisfies (keyof ShardCount)[];

/** The ledger's row against the log, at the same entry. */
export function compareBooks(log: ShardCount, books: ShardCount): CounterDrift[] {
  const drifts: CounterDrift[] = [];
  for (const counter of counters) add(drifts, "postgresql", counter, log[counter], books[counter]);
  add(drifts, "postgresql", "rules", rulesText(log), rulesText(books));
  return drifts;
}

/** The header in Redis against the log, at the same entry. */
export function compareHeader(log: ShardCount, header: FullHeader): CounterDrift[] {
  const drifts: CounterDrift[] = [];
  add(drifts, "redis", "hash", log.hash, header.hash);
  add(drifts, "redis", "atMs", log.atMs, header.atMs);
  add(drifts, "redis", "issued", log.issued, header.nextSerial);
  add(drifts, "redis", "left", leftOf(log), header.left);
  add(drifts, "redis", "dayStartMs", log.dayStartMs, header.dayStartMs);
  add(drifts, "redis", "dayIssued", log.dayIssued, header.nextSerial - header.dayFirst);
  add(drifts, "redis", "rules", rulesText(log), rulesText(header));
  return drifts;
}

function add(drifts: CounterDrift[], store: CounterDrift["store"], counter: string, expected: unknown, found: unknown) {
  if (expected !== found) drifts.push({ store, counter, expected, found });
}

/** Rules as one text that does not depend on the order of their members. */
function rulesText({ rules }: Pick<ShardCount, "rules">): string | null {
  return rules === null ? null : JSON.stringify(Object.entries(rules).sort(([a], [b]) => (a < b ? -1 : 1)));
}
