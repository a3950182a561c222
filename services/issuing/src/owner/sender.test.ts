import type { PartitionAppend } from "@coupon/events";
import { expect, test } from "vitest";
import { Partition } from "./partition.ts";
import { MarkerUnwanted, Sender } from "./sender.ts";
import { Shard } from "./shard.ts";

const SENDS_MAX = 200;

/** A log that takes everything a turn of the event loop later. */
class QuickLog {
  readonly markers: number[] = [];
  sends = 0;
  #next = 1;

  async append(batch: PartitionAppend[]): Promise<{ partition: number; baseOffset: number }[]> {
    await new Promise((resolve) => setImmediate(resolve));
    this.sends += 1;
    return batch.map(({ partition, entries }) => {
      const baseOffset = this.#next;
      this.#next += entries.length;
      return { partition, baseOffset };
    });
  }

  async appendMarker(partition: number): Promise<number> {
    this.markers.push(partition);
    return 0;
  }
}

function servingPartition(): { partition: Partition; shard: Shard } {
  const partition = new Partition(0);
  partition.phase = "serving";
  partition.lastOffset = 0;
  const shard = new Shard(
    { batch: 1, shard: 0 },
    { number: 0, hash: "", durable: 0, durableOffset: -1, rulesVersion: 0 },
  );
  return { partition, shard };
}

test("an opening gets its turn while there is always something to send", async () => {
  const log = new QuickLog();
  const { partition, shard } = servingPartition();
  const suspected: string[] = [];
  let number = 0;
  const write = (): void => {
    number += 1;
    // As a shard does under load: its next entry is there before the one under way is acknowledged.
    if (number <= SENDS_MAX) sender.enqueue(partition, { shard, number, kind: "issue", text: "{}" });
  };
  const sender: Sender = new Sender(log, 1_000, {
    handedOver: () => queueMicrotask(write),
    suspect: (_, because) => suspected.push(because),
    sent: () => {},
  });
  write();
  const marker = { v: 1, kind: "marker", owner: "me", at: 0 } as const;
  await Promise.all([1, 2, 3].map((id) => sender.appendMarker(id, marker, 1_000, () => true)));
  expect(log.markers).toEqual([1, 2, 3]);
  expect(log.sends).toBeLessThan(20);
  expect(suspected).toEqual([]);
});

test("a marker that is not wanted any more when its turn comes is not sent, and the next one is", async () => {
  const log = new QuickLog();
  const { partition, shard } = servingPartition();
  const sender = new Sender(log, 1_000, { handedOver: () => {}, suspect: () => {}, sent: () => {} });
  sender.enqueue(partition, { shard, number: 1, kind: "issue", text: "{}" });
  const marker = { v: 1, kind: "marker", owner: "me", at: 0 } as const;
  let isWanted = true;
  const given = sender.appendMarker(1, marker, 1_000, () => isWanted);
  const next = sender.appendMarker(2, marker, 1_000, () => true);
  isWanted = false;
  await expect(given).rejects.toThrow(MarkerUnwanted);
  await next;
  expect(log.markers).toEqual([2]);
});
