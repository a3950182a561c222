import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createEntryAppender,
  createLogReader,
  type EntryAppender,
  type LogReader,
  LogShrunk,
  LogTruncated,
  LogUnavailable,
} from "../src/index.ts";
import { createTestLog, type TestLog, truncateEntries } from "../src/testing.ts";
import { collect, entriesOf, marker, offsets, range } from "./entries.ts";

const PARTITIONS = 6;
let log: TestLog;
let appender: EntryAppender;
let reader: LogReader;

beforeAll(async () => {
  log = await createTestLog({ partitions: PARTITIONS });
  appender = createEntryAppender({ config: log.config, source: "/issuing/p1" });
  reader = createLogReader({ config: log.config, groupId: "reader", progressTimeoutMs: 1_500 });
  await reader.connect();
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    await appender.appendMarker(partition, marker(), 5_000);
    for (let first = 1; first < 200; first += 20) await appender.append([entriesOf(partition, 0, first, 20)], 5_000);
  }
});

afterAll(async () => {
  await Promise.all([appender.close(), reader.close()]);
  await log.remove();
});

describe("a range", () => {
  test.each([
    [0, 1],
    [0, 201],
    [1, 20],
    [19, 22],
    [200, 201],
    [77, 78],
    [5, 5],
    [9, 3],
  ])("from %i is read up to, not including, %i", async (from, to) => {
    expect(offsets(await collect(reader.readRange(0, from, to)))).toEqual(range(from, Math.max(from, to)));
  });

  test("may be read while others of other partitions are", async () => {
    const reads = range(0, PARTITIONS).map((partition) => collect(reader.readRange(partition, partition * 10, 201)));
    for (const [partition, messages] of (await Promise.all(reads)).entries()) {
      expect(offsets(messages)).toEqual(range(partition * 10, 201));
      expect(messages.every(({ shard, epoch }) => epoch === null || shard === partition)).toBe(true);
    }
  });

  test("waits for one of the same partition that was asked for before", async () => {
    const ended: number[] = [];
    const reads = [180, 0, 100, 40].map(async (from, i) => {
      const messages = await collect(reader.readRange(1, from, 201));
      ended.push(i);
      return offsets(messages);
    });
    expect(await Promise.all(reads)).toEqual([180, 0, 100, 40].map((from) => range(from, 201)));
    expect(ended).toEqual([0, 1, 2, 3]);
  });

  test("can be left early, and the next is read from where it begins", async () => {
    for await (const messages of reader.readRange(2, 0, 201)) {
      expect(messages[0]?.offset).toBe(0);
      break;
    }
    expect(offsets(await collect(reader.readRange(2, 50, 60)))).toEqual(range(50, 60));
  });

  test("is handed over by a call that is waited for", async () => {
    let busy = false;
    const seen: number[] = [];
    await reader.read(3, 0, 201, async (messages) => {
      expect(busy).toBe(false);
      busy = true;
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(...offsets(messages));
      busy = false;
    });
    expect(seen).toEqual(range(0, 201));
  });

  test("larger than what may wait is held back, and complete", async () => {
    const from = await reader.end(4);
    const text = "x".repeat(256 * 1024);
    for (let i = 0; i < 12; i += 1) await appender.append([entriesOf(4, 0, 1_000 + i * 8, 8, text)], 10_000);
    const seen: number[] = [];
    for await (const messages of reader.readRange(4, from, from + 96)) {
      seen.push(...offsets(messages));
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect(seen).toEqual(range(from, from + 96));
  });

  test("beyond the end is given up in time", async () => {
    await expect(collect(reader.readRange(5, 200, 202))).rejects.toThrow(LogUnavailable);
    expect(offsets(await collect(reader.readRange(5, 199, 201)))).toEqual([199, 200]);
  });

  test("that begins beyond the end is a log that has shrunk", async () => {
    await expect(collect(reader.readRange(5, 5_000, 5_001))).rejects.toThrow(LogShrunk);
  });
});

test("a marker, and all of the partition before it, takes less than 200 ms", async () => {
  const took: number[] = [];
  for (let i = 0; i < 7; i += 1) {
    const startedAt = performance.now();
    const epoch = await appender.appendMarker(0, marker(), 2_000);
    expect(await collect(reader.readRange(0, 0, epoch))).toHaveLength(epoch);
    took.push(performance.now() - startedAt);
  }
  expect(took.toSorted((a, b) => a - b)[3]).toBeLessThan(200);
});

describe("a log that begins later than asked", () => {
  test("is never read from there instead", async () => {
    await truncateEntries(log.config, 3, 150);
    expect(await reader.earliest(3)).toBe(150);
    await expect(collect(reader.readRange(3, 149, 201))).rejects.toThrow(LogTruncated);
    await expect(collect(reader.readRange(3, 0, 10))).rejects.toThrow(
      "partition 3 of the entries begins at offset 150: what came from offset 0 on is gone",
    );
    expect(offsets(await collect(reader.readRange(3, 150, 201)))).toEqual(range(150, 201));
  });

  test("is noticed also when it happens while being read", async () => {
    const from = await reader.end(2);
    const text = "x".repeat(512 * 1024);
    for (let i = 0; i < 10; i += 1) await appender.append([entriesOf(2, 0, 1_000 + i * 4, 4, text)], 10_000);
    const read = reader.readRange(2, from, from + 40)[Symbol.asyncIterator]();
    const seen = offsets((await read.next()).value ?? []);
    await truncateEntries(log.config, 2, from + 39);
    const rest = (async () => {
      for (let next = await read.next(); !next.done; next = await read.next()) seen.push(...offsets(next.value));
    })();
    await expect(rest).rejects.toThrow(LogTruncated);
    expect(seen).toEqual(range(from, from + seen.length));
    expect(seen.length).toBeLessThan(40);
  });
});

test("a reader that is closed ends what is being read", async () => {
  const other = createLogReader({ config: log.config, groupId: "other" });
  await other.connect();
  const read = other.readRange(5, 200, 300)[Symbol.asyncIterator]();
  expect(offsets((await read.next()).value ?? [])).toEqual([200]);
  const waiting = expect(read.next()).rejects.toThrow("the reader is closed");
  await other.close();
  await waiting;
  await expect(collect(other.readRange(5, 0, 1))).rejects.toThrow(LogUnavailable);
});
