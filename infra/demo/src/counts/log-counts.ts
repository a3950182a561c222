import { countMessage, type Entry, newPartitionCount } from "@coupon/domain";
import type { LogMessage, LogReader } from "@coupon/events";
import type { BatchCounts, Counts } from "./counts.ts";

/**
 * Reads the whole entries topic and counts what counts, by the one rule that owners and the ledger use.
 *
 * @throws Error where the log has a gap, which no correct owner writes
 */
export async function countLog(reader: LogReader, partitions: number): Promise<Counts> {
  const tally = new LogTally();
  for (let partition = 0; partition < partitions; partition += 1) {
    const from = await reader.earliest(partition);
    const to = await reader.end(partition);
    tally.beginPartition();
    await reader.read(partition, from, to, (messages) => {
      for (const message of messages) tally.add(message);
    });
  }
  return tally.counts;
}

/** Counts the messages of one partition after the other. */
export class LogTally {
  readonly counts = new Map<number, BatchCounts>();
  readonly #redeemed = new Set<string>();
  #state = newPartitionCount();

  beginPartition(): void {
    this.#state = newPartitionCount();
  }

  add(message: LogMessage): void {
    const { offset, epoch, batch, shard, number } = message;
    const counting = countMessage(this.#state, {
      offset,
      epoch: epoch ?? -1,
      marker: message.marker !== null,
      batch,
      shard,
      number,
    });
    if (counting === "gap") throw new Error(`The log has a gap before entry ${number} of shard ${batch}.${shard}`);
    if (counting !== "counts" || (message.kind !== "issue" && message.kind !== "redeem")) return;
    const entry = JSON.parse(message.text) as Entry;
    const counts = this.counts.get(batch) ?? { issued: 0, redeemed: 0 };
    this.counts.set(batch, counts);
    if (entry.kind === "issue") counts.issued += entry.items.length;
    if (entry.kind === "redeem") {
      for (const { serial } of entry.items) {
        const coupon = `${batch}.${shard}.${serial}`;
        if (!this.#redeemed.has(coupon)) counts.redeemed += 1;
        this.#redeemed.add(coupon);
      }
    }
  }
}
