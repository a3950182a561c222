import { countMessage, type Entry, type EntryKind, newPartitionCount, toCountable } from "@coupon/domain";
import { createLogReader, type LogConfig } from "@coupon/events";

/** How many items of each kind count in the whole log as it is now; what is not about coupons is left out. */
export async function tallyLog(config: LogConfig): Promise<Partial<Record<EntryKind, number>>> {
  const tally: Partial<Record<EntryKind, number>> = {};
  const reader = createLogReader({ config, groupId: `${config.clientId}-tally-${performance.now()}` });
  try {
    await reader.connect();
    for (let partition = 0; partition < config.partitions; partition += 1) {
      const counting = newPartitionCount();
      await reader.read(partition, 0, await reader.end(partition), (messages) => {
        for (const message of messages) {
          if (countMessage(counting, toCountable(message)) !== "counts") continue;
          const entry = JSON.parse(message.text) as Entry;
          if ("items" in entry) tally[entry.kind] = (tally[entry.kind] ?? 0) + entry.items.length;
        }
      });
    }
    return tally;
  } finally {
    await reader.close();
  }
}
