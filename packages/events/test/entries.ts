import type { LogMessage, PartitionAppend } from "../src/index.ts";

/** Entries of shard 0 of a batch, numbered from `first`. */
export function entriesOf(
  partition: number,
  epoch: number,
  first: number,
  count: number,
  text = "{}",
): PartitionAppend {
  return {
    partition,
    epoch,
    entries: Array.from({ length: count }, (_, i) => ({
      batch: 7,
      shard: partition,
      number: first + i,
      kind: "issue" as const,
      text,
    })),
  };
}

export const marker = (owner = "p1") => ({ v: 1, kind: "marker", owner, at: 1_700_000_000_000 }) as const;

export async function collect(messages: AsyncIterable<LogMessage[]>): Promise<LogMessage[]> {
  const all: LogMessage[] = [];
  for await (const some of messages) all.push(...some);
  return all;
}

export const offsets = (messages: LogMessage[]): number[] => messages.map(({ offset }) => offset);

export const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
