import { queryObjects } from "node:v8";
import kafkajs from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  AppendTooLarge,
  createEntryAppender,
  createLogReader,
  type EntryAppender,
  entryKinds,
  type LogReader,
  LogUnavailable,
  partitionAppendBytesMax,
} from "../src/index.ts";
import { createTestLog, type TestLog } from "../src/testing.ts";
import { collect, entriesOf, marker, offsets, range } from "./entries.ts";

let log: TestLog;
let appender: EntryAppender;
let reader: LogReader;

beforeAll(async () => {
  log = await createTestLog({ partitions: 7 });
  appender = createEntryAppender({ config: log.config, source: "/issuing/p1" });
  reader = createLogReader({ config: log.config, groupId: `${log.config.topicPrefix}reader` });
  await Promise.all([appender.connect(), reader.connect()]);
});

afterAll(async () => {
  await Promise.all([appender.close(), reader.close()]);
  await log.remove();
});

describe("append", () => {
  test("gives the offset of each partition's first entry and keeps their order", async () => {
    const epochs = await Promise.all([0, 1, 2].map((partition) => appender.appendMarker(partition, marker(), 10_000)));
    expect(epochs).toEqual([0, 0, 0]);
    const first = await appender.append([entriesOf(2, 0, 1, 3), entriesOf(0, 0, 1, 1), entriesOf(1, 0, 1, 2)], 2_000);
    expect(first).toEqual([
      { partition: 2, baseOffset: 1 },
      { partition: 0, baseOffset: 1 },
      { partition: 1, baseOffset: 1 },
    ]);
    const second = await appender.append([entriesOf(1, 0, 3, 2), entriesOf(2, 0, 4, 1)], 2_000);
    expect(second).toEqual([
      { partition: 1, baseOffset: 3 },
      { partition: 2, baseOffset: 4 },
    ]);
    const messages = await collect(reader.readRange(2, 0, 5));
    expect(offsets(messages)).toEqual([0, 1, 2, 3, 4]);
    expect(messages.map(({ number }) => number)).toEqual([-1, 1, 2, 3, 4]);
    expect(messages.map(({ epoch }) => epoch)).toEqual([null, 0, 0, 0, 0]);
    expect(messages[0]?.marker).toEqual(marker());
  });

  test("keeps nothing of an append that is done", async () => {
    const epoch = await appender.appendMarker(6, marker(), 2_000);
    const appendSome = async (from: number) => {
      for (let number = from; number < from + 200; number += 1) {
        await appender.append([entriesOf(6, epoch, number, 1)], 2_000);
      }
      return queryObjects(Promise, { format: "count" });
    };
    const before = await appendSome(1);
    expect((await appendSome(201)) - before).toBeLessThan(100);
  });

  test("hands back every kind and every character as they were", async () => {
    const epoch = await appender.appendMarker(3, marker(), 2_000);
    const texts = entryKinds.map((kind) => JSON.stringify({ kind, reason: "naïve ☕ 🎟 \u0000" }));
    const entries = entryKinds.map((kind, i) => ({
      batch: 4_294_967_295,
      shard: 1023,
      number: i + 1,
      kind,
      text: texts[i] as string,
    }));
    const [{ baseOffset } = { baseOffset: -1 }] = await appender.append([{ partition: 3, epoch, entries }], 2_000);
    const messages = await collect(reader.readRange(3, baseOffset, baseOffset + entries.length));
    expect(messages.map(({ kind }) => kind)).toEqual(entryKinds);
    expect(messages.map(({ text }) => text)).toEqual(texts);
    expect(messages.map(({ number }) => number)).toEqual(range(1, entryKinds.length + 1));
    expect(messages.every((m) => m.batch === 4_294_967_295 && m.shard === 1023 && m.epoch === epoch)).toBe(true);
  });

  test("keeps offsets dense over many sends of many sizes", async () => {
    const epoch = await appender.appendMarker(4, marker(), 2_000);
    let last = epoch;
    let number = 1;
    for (let i = 0; i < 300; i += 1) {
      const count = 1 + ((i * 7) % 20);
      const text = "x".repeat((i * 131) % 5_000);
      const [offset] = await appender.append([entriesOf(4, epoch, number, count, text)], 2_000);
      expect(offset?.baseOffset).toBe(last + 1);
      last += count;
      number += count;
    }
    const messages = await collect(reader.readRange(4, epoch + 1, last + 1));
    expect(messages.map((m) => m.number)).toEqual(range(1, number));
  });

  test("lets a marker and entries be on their way at once", async () => {
    const start = await reader.end(5);
    const sends = [
      appender.append([entriesOf(5, 0, 1, 2)], 2_000),
      appender.appendMarker(5, marker("a"), 2_000),
      appender.append([entriesOf(5, 0, 3, 1)], 2_000),
    ] as const;
    const [first, at, second] = await Promise.all(sends);
    expect([first[0]?.baseOffset, at, second[0]?.baseOffset]).toEqual([start, start + 2, start + 3]);
  });

  test("refuses more than a record batch may hold before sending any of it", async () => {
    const before = await reader.end(0);
    const tooLong = "é".repeat(partitionAppendBytesMax / 2);
    await expect(appender.append([entriesOf(0, 0, 1, 1, tooLong)], 2_000)).rejects.toThrow(AppendTooLarge);
    const long = "x".repeat(partitionAppendBytesMax - 1_024);
    await expect(appender.append([entriesOf(0, 0, 1, 1, long)], 10_000)).resolves.toHaveLength(1);
    expect(await reader.end(0)).toBe(before + 1);
  });

  test("rejects at once for a partition that isn't there, and goes on over fresh connections", async () => {
    await expect(appender.append([entriesOf(99, 0, 1, 1)], 2_000)).rejects.toThrow(LogUnavailable);
    await expect(appender.append([entriesOf(0, 0, 1, 1)], 2_000)).resolves.toHaveLength(1);
  });

  test("rejects where the topic isn't there", async () => {
    const nowhere = createEntryAppender({ config: { ...log.config, topicPrefix: "nowhere." }, source: "/x" });
    await expect(nowhere.connect()).rejects.toThrow(/does not host this topic-partition/);
    await nowhere.close();
  });

  test("rejects after it was closed", async () => {
    const closed = createEntryAppender({ config: log.config, source: "/x" });
    await closed.connect();
    const waiting = closed.appendMarker(0, marker(), 2_000);
    await closed.close();
    await expect(waiting).rejects.toThrow(LogUnavailable);
    await expect(closed.append([entriesOf(0, 0, 1, 1)], 2_000)).rejects.toThrow(LogUnavailable);
  });
});

test("messages carry their CloudEvents attributes as headers", async () => {
  const epoch = await appender.appendMarker(1, marker(), 2_000);
  await appender.append([entriesOf(1, epoch, 9, 1)], 2_000);
  const raw = await rawMessages(epoch, 2);
  expect(raw).toEqual([
    {
      key: "marker",
      headers: {
        ce_specversion: "1.0",
        ce_source: "/issuing/p1",
        ce_type: "coupon.marker.v1",
        "content-type": "application/json",
        ce_id: "p1.1700000000000",
      },
    },
    {
      key: "7.1",
      headers: {
        ce_specversion: "1.0",
        ce_source: "/issuing/p1",
        ce_type: "coupon.entry.issue.v1",
        "content-type": "application/json",
        epoch: String(epoch),
        ce_id: "7.1.9",
      },
    },
  ]);
});

async function rawMessages(from: number, count: number): Promise<object[]> {
  const kafka = new kafkajs.Kafka({ brokers: log.config.brokers, logLevel: kafkajs.logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `${log.config.topicPrefix}raw`, maxWaitTimeInMs: 100 });
  const topic = `${log.config.topicPrefix}entries`;
  const found: object[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise<void>((resolve) => {
    void consumer.run({
      eachMessage: async ({ partition, message: { key, headers, offset } }) => {
        if (partition !== 1 || Number(offset) < from) return;
        const named = Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]);
        found.push({ key: key?.toString(), headers: Object.fromEntries(named) });
        if (found.length === count) resolve();
      },
    });
  });
  await consumer.disconnect();
  return found;
}
