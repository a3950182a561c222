import { parseRules } from "./rules-text.ts";
import type { ShardHeader } from "./shard-calls.ts";

/** Fields of a header (includes/shard.lua) that are read together, in this order. */
export const HEADER_FIELDS = ["e", "n", "h", "t", "s", "l", "d", "o", "r"] as const;

/** Null where there is no shard, or one that is half removed or half loaded. */
export function parseHeader(values: readonly (string | null)[]): ShardHeader | null {
  const [epoch, number, hash, at, next, left, durable, durableOffset, rules] = values;
  if (epoch == null) return null;
  return {
    epoch: Number(epoch),
    number: Number(number),
    hash: hash ?? "",
    atMs: Number(at),
    nextSerial: Number(next),
    left: Number(left),
    durable: Number(durable),
    durableOffset: Number(durableOffset),
    rules: rules == null ? null : parseRules(rules),
  };
}
