import { createLogReader, type LogConfig } from "@coupon/events";
import type { LogEntry } from "@coupon/history";

/**
 * The whole entries topic as it is now, partition by partition.
 *
 * @throws LogTruncated where retention has taken the beginning; LogUnavailable
 */
export async function readWholeLog(config: LogConfig, groupId: string): Promise<LogEntry[]> {
  const reader = createLogReader({ config, groupId });
  try {
    await reader.connect();
    const partitions = Array.from({ length: config.partitions }, (_, partition) => partition);
    const read = await Promise.all(
      partitions.map(async (partition) => {
        const found: LogEntry[] = [];
        const end = await reader.end(partition);
        await reader.read(partition, 0, end, (messages) => {
          for (const message of messages) found.push({ partition, ...message });
        });
        return found;
      }),
    );
    return read.flat();
  } finally {
    await reader.close();
  }
}
