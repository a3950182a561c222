import { type ChildProcess, fork } from "node:child_process";
import { eventually } from "@coupon/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  createEntryAppender,
  createEntryConsumer,
  type EntryAppender,
  type EntryConsumer,
  type LogMessage,
  LogShrunk,
  LogTruncated,
} from "../src/index.ts";
import { createTestLog, type TestLog, truncateEntries } from "../src/testing.ts";
import { entriesOf, offsets, range } from "./entries.ts";

const PARTITIONS = 4;
let log: TestLog;
let appender: EntryAppender;
let ends: number[];
const running: EntryConsumer[] = [];
const children: ChildProcess[] = [];

beforeEach(async () => {
  log = await createTestLog({ partitions: PARTITIONS });
  appender = createEntryAppender({ config: log.config, source: "/issuing/p1" });
  ends = Array.from({ length: PARTITIONS }, () => 0);
  await appendSome(10);
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(running.splice(0).map((consumer) => consumer.stop()));
  await appender.close();
  await log.remove();
});

async function appendSome(count: number): Promise<void> {
  const batch = range(0, PARTITIONS).map((partition) => entriesOf(partition, 0, 1, count));
  await appender.append(batch, 5_000);
  ends = ends.map((end) => end + count);
}

/** Applies as the ledger does: a batch counts only where it begins at the position stored. */
class Applied {
  readonly positions = Array.from({ length: PARTITIONS }, () => 0);
  readonly seen: number[][] = Array.from({ length: PARTITIONS }, () => []);
  refused = 0;

  apply(partition: number, batchOffsets: number[]): boolean {
    if (batchOffsets[0] !== this.positions[partition]) {
      this.refused += 1;
      return false;
    }
    this.seen[partition]?.push(...batchOffsets);
    this.positions[partition] = (batchOffsets.at(-1) as number) + 1;
    return true;
  }
}

type Batch = { partition: number; messages: LogMessage[]; highWatermark: number };

async function consume(groupId: string, applied: Applied, onBatch?: (batch: Batch) => Promise<void>) {
  const alarms: Error[] = [];
  const consumer = createEntryConsumer({
    config: log.config,
    groupId: `${log.config.topicPrefix}${groupId}`,
    positionOf: async (partition) => applied.positions[partition] as number,
    onBatch:
      onBatch ??
      (async ({ partition, messages }) => {
        expect(applied.apply(partition, offsets(messages))).toBe(true);
      }),
    onAlarm: (alarm) => alarms.push(alarm),
  });
  running.push(consumer);
  await consumer.start();
  return { consumer, alarms };
}

const appliedAll = (applied: Applied) => () => expect(applied.positions).toEqual(ends);
const complete = (applied: Applied, from = 0) => {
  for (const [partition, seen] of applied.seen.entries()) expect(seen).toEqual(range(from, ends[partition] as number));
};

test("applies everything from the positions stored on, in order and once, and knows its lag", async () => {
  const applied = new Applied();
  applied.positions.fill(4);
  const { consumer } = await consume("from-positions", applied);
  await eventually(appliedAll(applied));
  await appendSome(25);
  await eventually(appliedAll(applied));
  complete(applied, 4);
  expect(applied.refused).toBe(0);
  const lag = ends.map((end, partition) => [partition, { position: end, end }]);
  await eventually(() => expect([...consumer.lag()].toSorted()).toEqual(lag));
});

test("reads again from the position stored when a batch is refused", async () => {
  const applied = new Applied();
  let failures = 3;
  await consume("refused", applied, async ({ partition, messages }) => {
    if (partition === 2 && failures > 0) {
      failures -= 1;
      // Half of it was stored before it failed.
      applied.apply(2, offsets(messages).slice(0, 3));
      throw new Error("the database is away");
    }
    expect(applied.apply(partition, offsets(messages))).toBe(true);
  });
  await eventually(appliedAll(applied));
  complete(applied);
  expect(failures).toBe(0);
});

test("halts a partition whose position is gone from the log, with an alarm, and goes on with the others", async () => {
  const applied = new Applied();
  applied.positions.fill(1);
  await truncateEntries(log.config, 1, 8);
  applied.positions[3] = 1_000;
  const { consumer, alarms } = await consume("truncated", applied);
  await eventually(() => expect([applied.positions[0], applied.positions[2]]).toEqual([ends[0], ends[2]]));
  await appendSome(5);
  await eventually(() => expect([applied.positions[0], applied.positions[2]]).toEqual([ends[0], ends[2]]));
  expect(applied.seen[1]).toEqual([]);
  expect(applied.seen[3]).toEqual([]);
  const named = alarms.toSorted((a, b) => a.name.localeCompare(b.name));
  expect(named).toEqual([expect.any(LogShrunk), expect.any(LogTruncated)]);
  await eventually(() => expect(consumer.lag().get(1)).toEqual({ position: 1, end: ends[1] }));
});

test("alarms also when the log is cut off ahead of it while it runs", async () => {
  const applied = new Applied();
  applied.positions.fill(8);
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let began: () => void = () => {};
  const holding = new Promise<void>((resolve) => {
    began = resolve;
  });
  const { alarms } = await consume("cut-off", applied, async ({ partition, messages }) => {
    if (partition === 2) {
      began();
      await held;
    }
    applied.apply(partition, offsets(messages));
  });
  await eventually(() => expect(applied.positions[0]).toBe(ends[0]));
  await holding;
  await appendSome(4);
  await truncateEntries(log.config, 2, (ends[2] as number) - 1);
  release();
  await eventually(() => expect(alarms).toEqual([expect.any(LogTruncated)]));
  expect(applied.positions[2]).toBeLessThan(ends[2] as number);
});

test("two share the partitions, and one takes over when the other leaves", async () => {
  const applied = new Applied();
  applied.positions.fill(9);
  const first = await consume("shared", applied);
  const second = await consume("shared", applied);
  await eventually(() => expect([first.consumer.lag().size, second.consumer.lag().size]).toEqual([2, 2]));
  await appendSome(30);
  await eventually(appliedAll(applied));
  await first.consumer.stop();
  await appendSome(30);
  await eventually(appliedAll(applied), { timeoutMs: 20_000 });
  expect(second.consumer.lag().size).toBe(PARTITIONS);
  complete(applied, 9);
});

test("one takes over from another that was killed, and nothing is lost or applied twice", async () => {
  const applied = new Applied();
  applied.positions.fill(9);
  const child = startMember("killed", applied);
  await eventually(appliedAll(applied), { timeoutMs: 20_000 });
  const { consumer } = await consume("killed", applied, async ({ partition, messages }) => {
    // Of two that believe they own a partition, the one that comes late is refused, and reads again.
    if (!applied.apply(partition, offsets(messages))) throw new Error("not the position stored");
  });
  await eventually(() => expect(consumer.lag().size).toBe(2), { timeoutMs: 20_000 });
  await appendSome(50);
  child.kill("SIGKILL");
  await appendSome(50);
  await eventually(appliedAll(applied), { timeoutMs: 40_000 });
  complete(applied, 9);
});

/** A member in a process of its own, which asks for positions and reports what it read. */
function startMember(groupId: string, applied: Applied): ChildProcess {
  const member = fork(new URL("./consumer-member.ts", import.meta.url), {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  children.push(member);
  member.on("message", (message: { id: number; partition: number; offsets: number[] | null }) => {
    const { id, partition, offsets } = message;
    const answer = offsets === null ? applied.positions[partition] : applied.apply(partition, offsets);
    if (member.connected) member.send({ id, answer }, () => {});
  });
  member.send({ config: log.config, groupId: `${log.config.topicPrefix}${groupId}` });
  return member;
}
