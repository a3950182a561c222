import process from "node:process";
import { createEntryConsumer, type LogConfig } from "../src/index.ts";

/** A ledger stand-in in a process of its own, for tests that kill it. Positions live with the parent. */
const waiting = new Map<number, (answer: unknown) => void>();
let lastId = 0;

function ask(partition: number, offsets: number[] | null): Promise<unknown> {
  lastId += 1;
  const id = lastId;
  process.send?.({ id, partition, offsets });
  return new Promise((resolve) => waiting.set(id, resolve));
}

async function start(config: LogConfig, groupId: string): Promise<void> {
  await createEntryConsumer({
    config,
    groupId,
    positionOf: async (partition) => (await ask(partition, null)) as number,
    async onBatch({ partition, messages }) {
      const stored = await ask(
        partition,
        messages.map(({ offset }) => offset),
      );
      if (stored !== true) throw new Error("not the position stored");
    },
    onAlarm: (alarm) => {
      throw alarm;
    },
  }).start();
}

process.on("message", (message: { id?: number; answer?: unknown; config?: LogConfig; groupId?: string }) => {
  if (message.config !== undefined) void start(message.config, message.groupId ?? "");
  else waiting.get(message.id ?? 0)?.(message.answer);
});
