import { randomBytes } from "node:crypto";
import type { BatchDefinition, CallerDefinition } from "@coupon/domain";
import { eventually } from "@coupon/testkit";
import kafkajs from "kafkajs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  createBatchFollower,
  createCallerFollower,
  createEntryAppender,
  createRulesAppliedFollower,
  createTableFollower,
  createTablePublisher,
  type LogConfig,
  LogUnavailable,
  MessageInvalid,
  type RulesApplied,
  SealedSecretUnreadable,
  type TablePublisher,
} from "../src/index.ts";
import { createTestLog, type TestLog } from "../src/testing.ts";
import { batch, caller } from "./definitions.ts";

const key = randomBytes(32);
const said: string[] = [];
let log: TestLog;
let config: LogConfig;
let publisher: TablePublisher;
const open: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  said.length = 0;
  log = await createTestLog();
  config = { ...log.config, log: (...words) => said.push(JSON.stringify(words)) };
  publisher = createTablePublisher({ config, source: "/campaigns", secretsKey: key });
  open.push(publisher);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await log.remove();
});

async function started<F extends { start(): Promise<void>; close(): Promise<void> }>(follower: F): Promise<F> {
  open.push(follower);
  await follower.start();
  return follower;
}

async function produceRaw(topic: string, messages: { key: string; value: string | null }[]): Promise<void> {
  const producer = new kafkajs.Kafka({ brokers: config.brokers, logLevel: kafkajs.logLevel.NOTHING }).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  await producer.send({ topic: `${config.topicPrefix}${topic}`, messages });
  await producer.disconnect();
}

describe("a table", () => {
  test("that is empty is caught up at once", async () => {
    const table = await started(createBatchFollower({ config }));
    expect([...table.values()]).toEqual([]);
  });

  test("holds the last of every key when it has started, and follows from there", async () => {
    for (let i = 0; i < 300; i += 1) await publisher.publishBatch(batch(`b${i % 100}`, i));
    await publisher.remove("batches", "b7");
    const changes: [string, number | null][] = [];
    const table = await started(
      createBatchFollower({ config, onChange: (id, value) => changes.push([id, value?.version ?? null]) }),
    );
    expect([...table.values()]).toHaveLength(99);
    expect(table.get("b99")).toEqual(batch("b99", 299));
    expect(table.get("b7")).toBeUndefined();
    changes.length = 0;
    await publisher.publishBatch(batch("b7", 400));
    await publisher.publishBatch({ ...batch("b8", 401), state: "paused" });
    await publisher.remove("batches", "b9");
    await publisher.remove("batches", "b9");
    await publisher.publishBatch(batch("last", 1));
    await eventually(() => table.get("last") !== undefined);
    expect(table.get("b8")?.state).toBe("paused");
    expect(changes).toEqual([
      ["b7", 400],
      ["b8", 401],
      ["b9", null],
      ["last", 1],
    ]);
  });

  test("keeps a newer version when an older one comes late", async () => {
    const table = await started(createBatchFollower({ config }));
    await publisher.publishBatch(batch("b", 5));
    await publisher.publishBatch(batch("b", 4));
    await publisher.publishBatch(batch("c", 1));
    await eventually(() => table.get("c") !== undefined);
    expect(table.get("b")?.version).toBe(5);
  });

  test("skips what it can't read, with an alarm, and keeps what it had", async () => {
    await publisher.publishBatch(batch("b", 1));
    const alarms: [string, Error][] = [];
    const table = await started(createBatchFollower({ config, onAlarm: (id, error) => alarms.push([id, error]) }));
    await produceRaw("batches", [
      { key: "b", value: "not JSON" },
      { key: "c", value: JSON.stringify({ ...batch("c", 1), shards: 0 }) },
    ]);
    await publisher.publishBatch(batch("d", 1));
    await eventually(() => table.get("d") !== undefined);
    expect(alarms).toEqual([
      ["b", expect.any(MessageInvalid)],
      ["c", expect.any(MessageInvalid)],
    ]);
    expect(alarms[1]?.[1].message).toContain("/shards");
    expect([table.get("b"), table.get("c")]).toEqual([batch("b", 1), undefined]);
  });

  test("may be of any type that its decoder makes", async () => {
    const table = await started(createTableFollower({ config, topic: "batches", decode: (text) => text.length }));
    await produceRaw("batches", [{ key: "k", value: "twelve chars" }]);
    await eventually(() => table.get("k") === 12);
  });

  test("whose broker is away can't start", async () => {
    const table = createBatchFollower({ config: { ...config, brokers: ["127.0.0.1:1"] } });
    await expect(table.start()).rejects.toThrow(LogUnavailable);
  });
});

describe("callers", () => {
  const secret = randomBytes(32).toString("base64");

  test("come with their secrets opened", async () => {
    await publisher.publishCaller(caller("shop", secret));
    const table = await started(createCallerFollower({ config, secretsKey: key }));
    expect(table.get("shop")).toEqual(caller("shop", secret));
  });

  test("another key ends the start with what is wrong", async () => {
    await publisher.publishCaller(caller("shop", secret));
    const table = createCallerFollower({ config, secretsKey: randomBytes(32) });
    await expect(table.start()).rejects.toThrow(
      new SealedSecretUnreadable("A caller's secret does not open: CALLER_SECRETS_KEY is not the key that sealed it."),
    );
  });

  test("a secret that was moved to another key id or caller does not open", async () => {
    await publisher.publishCaller(caller("shop", secret));
    const sealed = await rawValue("shop");
    await produceRaw("callers", [{ key: "thief", value: sealed.replace('"shop"', '"thief"') }]);
    await expect(createCallerFollower({ config, secretsKey: key }).start()).rejects.toThrow(SealedSecretUnreadable);
  });

  test("never show a secret in the log, in messages of errors or in what is said", async () => {
    await publisher.publishCaller(caller("shop", secret));
    expect(await rawValue("shop")).not.toContain(secret);
    const errors: unknown[] = [];
    errors.push(
      await createCallerFollower({ config, secretsKey: randomBytes(32) })
        .start()
        .catch((error) => error),
    );
    const wrong = { ...caller("shop", secret), status: "odd" } as unknown as CallerDefinition;
    errors.push(await publisher.publishCaller(wrong).catch((error) => error));
    await produceRaw("callers", [{ key: "plain", value: JSON.stringify(caller("plain", secret)) }]);
    const alarms: Error[] = [];
    const table = await started(
      createCallerFollower({ config, secretsKey: key, onAlarm: (_, error) => alarms.push(error) }),
    );
    expect(table.get("plain")).toBeUndefined();
    expect(alarms).toHaveLength(1);
    expect(errors).toEqual([expect.any(SealedSecretUnreadable), expect.any(MessageInvalid)]);
    const everything = [
      ...said,
      ...[...errors, ...alarms].map((error) => `${(error as Error).stack} ${JSON.stringify(error)}`),
    ];
    expect(everything.join("\n")).not.toContain(secret);
  });

  async function rawValue(id: string): Promise<string> {
    let value = "";
    const table = createTableFollower({ config, topic: "callers", decode: (text) => text });
    await table.start();
    value = table.get(id) ?? "";
    await table.close();
    return value;
  }
});

describe("publishing", () => {
  test("refuses what is not as the schema says, and sends nothing", async () => {
    const wrong = { ...batch("b", 1), timeZone: 3 } as unknown as BatchDefinition;
    await expect(publisher.publishBatch(wrong)).rejects.toThrow("/timeZone");
    const table = await started(createBatchFollower({ config }));
    expect([...table.values()]).toEqual([]);
  });

  test("gives up after the time stated while the log is away", async () => {
    const away = createTablePublisher({ config: { ...config, brokers: ["127.0.0.1:1"] }, source: "/x" });
    const startedAt = performance.now();
    await expect(away.publishBatch(batch("b", 1), 500)).rejects.toThrow(LogUnavailable);
    expect(performance.now() - startedAt).toBeLessThan(800);
    await away.close();
  });
});

describe("rules applied", () => {
  const applied = (version: number): RulesApplied => ({
    v: 1,
    batchId: "b",
    batchNumber: 7,
    version,
    shard: 0,
    shards: 2,
    shortBy: 0,
    partition: 3,
    offset: 12,
  });

  test("are heard from the start on, within a moment, and not those before", async () => {
    const appender = createEntryAppender({ config, source: "/issuing/p1" });
    open.push(appender);
    await appender.publish("rules-applied", [applied(1), applied(2)]);
    const heard: RulesApplied[] = [];
    await started(createRulesAppliedFollower({ config, onApplied: (message) => heard.push(message) }));
    // The first waits for the consumer to have begun to fetch.
    await appender.publish("rules-applied", [applied(3)]);
    await eventually(() => heard.length === 1);
    await produceRaw("rules-applied", [{ key: "b", value: "{}" }]);
    const took: number[] = [];
    for (const version of [4, 5, 6, 7, 8]) {
      const startedAt = performance.now();
      await appender.publish("rules-applied", [applied(version)]);
      await eventually(() => heard.at(-1)?.version === version, { intervalMs: 5 });
      took.push(performance.now() - startedAt);
    }
    // One that waited for a fetch to run out would take 500 ms, each time.
    expect(took.toSorted((a, b) => a - b)[2]).toBeLessThan(250);
    expect(heard).toEqual([3, 4, 5, 6, 7, 8].map(applied));
  });
});
