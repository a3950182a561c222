import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "@coupon/database";
import type { LogReader } from "@coupon/events";

/** Where the log ends, partition by partition: the offset that the next message will get. */
export async function readLogEnds(reader: LogReader, partitions: number): Promise<Map<number, number>> {
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const ends = await Promise.all(all.map((partition) => reader.end(partition)));
  return new Map(all.map((partition) => [partition, ends[partition] ?? 0]));
}

/** Waits until the ledger stands at these positions. Throws where that takes longer than `timeoutMs`. */
export async function untilApplied(pool: Pool, ends: ReadonlyMap<number, number>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const { rows } = await pool.query<{ partition: number; position: number }>(
      "SELECT partition, position FROM ledger.partition_position",
    );
    const positions = new Map(rows.map((row) => [row.partition, row.position]));
    const behind = [...ends].filter(([partition, end]) => (positions.get(partition) ?? 0) < end);
    if (behind.length === 0) return;
    if (performance.now() > deadline) {
      throw new Error(
        `The ledger has not applied partitions ${behind.map(([it]) => it).join(", ")} in ${timeoutMs} ms`,
      );
    }
    await sleep(20);
  }
}
