import { eventually, freePorts } from "@coupon/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  checkTopics,
  createEntryAppender,
  createLogReader,
  type EntryAppender,
  type LogReader,
  LogUnavailable,
} from "../src/index.ts";
import { createTestLog, type TestLog } from "../src/testing.ts";
import { collect, entriesOf, marker, offsets, range } from "./entries.ts";
import { type OwnBroker, startOwnBroker } from "./own-broker.ts";

let own: OwnBroker;
let log: TestLog;
let appender: EntryAppender;
let reader: LogReader;

beforeAll(async () => {
  own = await startOwnBroker();
  log = await createTestLog({ brokers: [own.address] });
  appender = createEntryAppender({ config: log.config, source: "/issuing/p1" });
  reader = createLogReader({ config: log.config, groupId: "reader", progressTimeoutMs: 2_000 });
  await Promise.all([appender.connect(), reader.connect()]);
});

afterAll(async () => {
  await Promise.all([appender.close(), reader.close()]);
  await own.stop();
});

afterEach(async () => {
  own.thaw();
  own.proxy.resume();
  own.proxy.dropReplies(false);
  own.proxy.refuse(false);
  // A broker that stood still for long is fenced, and leads again only after a while.
  await eventually(() => Promise.all([0, 1, 2, 3].map((partition) => reader.end(partition))), { timeoutMs: 30_000 });
});

async function timed<T>(work: Promise<T>): Promise<{ outcome: T | Error; ms: number }> {
  const startedAt = performance.now();
  const outcome = await work.catch((error: Error) => error);
  return { outcome, ms: performance.now() - startedAt };
}

describe("the broker is away at the start", () => {
  test("every way in says so within its bound, and leaves nothing behind", async () => {
    const [port = 0] = await freePorts(1);
    const config = { ...log.config, brokers: [`127.0.0.1:${port}`] };
    const away = createEntryAppender({ config, source: "/x" });
    expect(await timed(away.connect())).toMatchObject({ outcome: expect.any(LogUnavailable) });
    expect((await timed(away.appendMarker(0, marker(), 1_000))).ms).toBeLessThan(1_000);
    await away.close();
    await expect(checkTopics(config)).rejects.toThrow(LogUnavailable);
  });

  test("one that takes connections and says nothing is given up after the time stated", async () => {
    own.proxy.pause();
    const silent = createEntryAppender({ config: log.config, source: "/x" });
    const { outcome, ms } = await timed(silent.appendMarker(0, marker(), 300));
    expect(outcome).toBeInstanceOf(LogUnavailable);
    expect(ms).toBeLessThan(600);
    await silent.close();
  });

  test("another broker of the list is asked", async () => {
    const [port = 0] = await freePorts(1);
    const config = { ...log.config, brokers: [`127.0.0.1:${port}`, own.address, `127.0.0.1:${port}`] };
    for (let i = 0; i < 5; i += 1) {
      const one = createEntryAppender({ config, source: "/x" });
      await one.connect();
      await one.close();
    }
  });
});

describe("append", () => {
  test("rejects after the time stated while the broker stands still, and goes on afresh after", async () => {
    const epoch = await appender.appendMarker(0, marker(), 2_000);
    const accepted = own.proxy.accepted;
    await own.freeze();
    const { outcome, ms } = await timed(appender.append([entriesOf(0, epoch, 1, 1)], 400));
    expect(outcome).toBeInstanceOf(LogUnavailable);
    expect(ms).toBeGreaterThan(390);
    expect(ms).toBeLessThan(700);
    own.thaw();
    const next = await eventually(() => appender.appendMarker(0, marker(), 2_000));
    expect(own.proxy.accepted).toBeGreaterThan(accepted);
    expect(next).toBeGreaterThan(epoch);
  });

  test("whose answer is lost may have been written, and the next offset tells", async () => {
    const epoch = await appender.appendMarker(0, marker(), 2_000);
    own.proxy.dropReplies(true);
    await expect(appender.append([entriesOf(0, epoch, 1, 2)], 300)).rejects.toThrow(LogUnavailable);
    own.proxy.dropReplies(false);
    const [offset] = await appender.append([entriesOf(0, epoch, 3, 1)], 2_000);
    expect(offset?.baseOffset).toBe(epoch + 3);
  });

  test("rejects at once when the connection is cut, everything that waits with it", async () => {
    const epoch = await appender.appendMarker(0, marker(), 2_000);
    const cut = own.proxy.cutAfterBytes(20_000);
    const waiting = Promise.allSettled([
      appender.append([entriesOf(0, epoch, 1, 1, "x".repeat(50_000))], 5_000),
      appender.appendMarker(1, marker(), 5_000),
    ]);
    const { outcome, ms } = await timed(waiting);
    await cut;
    expect(outcome).toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
    expect(ms).toBeLessThan(1_000);
    expect(await eventually(() => reader.end(0))).toBe(epoch + 1);
  });

  test("never says that an entry stands where it does not, whenever connections are cut", async () => {
    const epoch = await appender.appendMarker(2, marker(), 2_000);
    const acknowledged = new Map<number, number>();
    for (let number = 1; number <= 150; number += 1) {
      if (number % 3 === 0)
        own.proxy.cutAfterBytes((number * 97) % 700, number % 2 === 0 ? "down" : "up").catch(() => {});
      try {
        const [offset] = await appender.append([entriesOf(2, epoch, number, 1)], 1_000);
        acknowledged.set(offset?.baseOffset ?? -1, number);
      } catch (error) {
        expect(error).toBeInstanceOf(LogUnavailable);
      }
    }
    const end = await eventually(() => reader.end(2));
    const messages = await eventually(() => collect(reader.readRange(2, epoch + 1, end)), { timeoutMs: 30_000 });
    const byOffset = new Map(messages.map(({ offset, number }) => [offset, number]));
    expect(acknowledged.size).toBeGreaterThan(50);
    expect(acknowledged.size).toBeLessThan(150);
    for (const [offset, number] of acknowledged) expect(byOffset.get(offset)).toBe(number);
    expect(messages.map(({ number }) => number)).toEqual(
      messages.map(({ number }) => number).toSorted((a, b) => a - b),
    );
  });
});

describe("reading", () => {
  test("is given up where nothing comes, and works again after", async () => {
    const from = await reader.end(1);
    const epoch = await appender.appendMarker(1, marker(), 2_000);
    await appender.append([entriesOf(1, epoch, 1, 5)], 2_000);
    const read = reader.readRange(1, from, epoch + 6)[Symbol.asyncIterator]();
    await own.freeze();
    const { outcome, ms } = await timed(read.next());
    expect(outcome).toBeInstanceOf(LogUnavailable);
    expect(ms).toBeLessThan(6_000);
    own.thaw();
    const messages = await eventually(() => collect(reader.readRange(1, from, epoch + 6)), { timeoutMs: 30_000 });
    expect(offsets(messages)).toEqual(range(from, epoch + 6));
  });

  test("goes on after the connections are cut", async () => {
    const epoch = await appender.appendMarker(2, marker(), 2_000);
    await appender.append([entriesOf(2, epoch, 1, 50)], 2_000);
    const end = epoch + 51;
    own.proxy.cutAll();
    const messages = await eventually(() => collect(reader.readRange(2, 0, end)), { timeoutMs: 30_000 });
    expect(offsets(messages)).toEqual(range(0, end));
  });

  // The broker's own recovery takes most of the time.
  test("goes on after the broker was killed and has come back", async () => {
    const epoch = await appender.appendMarker(2, marker(), 2_000);
    await appender.append([entriesOf(2, epoch, 1, 50)], 2_000);
    const end = epoch + 51;
    await own.kill();
    await expect(appender.appendMarker(2, marker(), 1_000)).rejects.toThrow(LogUnavailable);
    await expect(reader.end(2)).rejects.toThrow(LogUnavailable);
    await own.restart();
    const messages = await eventually(() => collect(reader.readRange(2, 0, end)), { timeoutMs: 45_000 });
    expect(offsets(messages)).toEqual(range(0, end));
    expect(await eventually(() => appender.appendMarker(2, marker(), 2_000))).toBe(end);
  }, 180_000);
});
