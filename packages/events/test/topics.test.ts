import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { eventually, uniqueName } from "@coupon/testkit";
import kafkajs, { type Admin } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkTopics, ensureTopics, type LogConfig, TopicMisconfigured } from "../src/index.ts";
import { createTestLog, deleteTopics, type TestLog } from "../src/testing.ts";
import { topicCreation } from "../src/topics.ts";

const { ConfigResourceTypes, Kafka, logLevel } = kafkajs;
let log: TestLog;
let admin: Admin;

beforeAll(async () => {
  log = await createTestLog();
  admin = new Kafka({ brokers: log.config.brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
});

afterAll(async () => {
  await admin.disconnect();
  await log.remove();
});

async function alter(topic: string, settings: Record<string, string>): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
  });
  const own = (resources[0]?.configEntries ?? [])
    .filter(({ isDefault, readOnly }) => !isDefault && !readOnly)
    .map(({ configName, configValue }) => [configName, configValue] as const);
  const configEntries = Object.entries({ ...Object.fromEntries(own), ...settings });
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: configEntries.map(([name, value]) => ({ name, value })),
      },
    ],
  });
}

describe("ensureTopics", () => {
  test("creates the four topics with their settings, and again changes nothing", async () => {
    await ensureTopics(log.config);
    const name = (topic: string) => `${log.config.topicPrefix}${topic}`;
    const names = ["entries", "batches", "callers", "rules-applied"].map(name);
    const { topics } = await admin.fetchTopicMetadata({ topics: names });
    expect(names.map((one) => topics.find((topic) => topic.name === one)?.partitions.length)).toEqual([4, 1, 1, 1]);
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((one) => ({ type: ConfigResourceTypes.TOPIC, name: one })),
    });
    const settings = (topic: string, setting: string) =>
      resources
        .find(({ resourceName }) => resourceName === name(topic))
        ?.configEntries.find(({ configName }) => configName === setting)?.configValue;
    expect(settings("entries", "cleanup.policy")).toBe("delete");
    expect(settings("entries", "retention.ms")).toBe(String(7 * 24 * 3_600_000));
    expect(settings("entries", "retention.bytes")).toBe("-1");
    expect(settings("entries", "min.insync.replicas")).toBe("1");
    expect(settings("entries", "unclean.leader.election.enable")).toBe("false");
    expect(settings("batches", "cleanup.policy")).toBe("compact");
    expect(settings("callers", "cleanup.policy")).toBe("compact");
    expect(settings("rules-applied", "cleanup.policy")).toBe("delete");
    await expect(checkTopics(log.config)).resolves.toBeUndefined();
  });

  test("may run in several processes at once", async () => {
    const config = { ...log.config, topicPrefix: `${uniqueName("race")}.` };
    await Promise.all([1, 2, 3].map(() => ensureTopics(config)));
    await expect(checkTopics(config)).resolves.toBeUndefined();
    await deleteTopics(config);
  });

  test("asks for three replicas, two of them in sync, where there are brokers enough", () => {
    const settings = (brokers: number) => {
      const { replicationFactor, configEntries = [] } = topicCreation(log.config, "entries", brokers);
      return [replicationFactor, configEntries.find(({ name }) => name === "min.insync.replicas")?.value];
    };
    expect([1, 3, 7].map(settings)).toEqual([
      [1, "1"],
      [3, "2"],
      [3, "2"],
    ]);
  });
});

describe("a set-up that does not hold what the platform promises is refused in one sentence", () => {
  const refusal = (config: LogConfig) => checkTopics(config).catch((error: Error) => error);

  test("a topic that is missing", async () => {
    const error = await refusal({ ...log.config, topicPrefix: "missing." });
    expect(error).toBeInstanceOf(TopicMisconfigured);
    expect(error).toMatchObject({
      topic: "missing.entries",
      message: "Topic missing.entries does not exist: run ensure-topics, which creates it.",
    });
  });

  test("another number of partitions", async () => {
    const { topicPrefix } = log.config;
    expect(await refusal({ ...log.config, partitions: 5 })).toMatchObject({
      setting: "partitions",
      message:
        `Topic ${topicPrefix}entries has 4 partitions where 5 are configured: ` +
        "set PARTITIONS to what the topic has, for a shard can't move to another partition.",
    });
  });

  test("a single broker where that is not allowed", async () => {
    expect(await refusal({ ...log.config, singleBrokerAllowed: false })).toMatchObject({
      name: "TopicMisconfigured",
      setting: "replication.factor",
    });
    await expect(ensureTopics({ ...log.config, singleBrokerAllowed: false })).rejects.toThrow("has 1 broker");
  });

  test.each([
    ["entries", "unclean.leader.election.enable", "true", "false"],
    ["entries", "retention.ms", "60000", "604800000"],
    ["entries", "retention.bytes", "1000000", "-1"],
    ["entries", "cleanup.policy", "compact", "delete"],
    ["entries", "max.message.bytes", "1000", "8388608"],
    ["batches", "cleanup.policy", "delete", "compact"],
    ["callers", "unclean.leader.election.enable", "true", "false"],
  ])("%s with %s=%s", async (topic, setting, wrong, right) => {
    const name = `${log.config.topicPrefix}${topic}`;
    await alter(name, { [setting]: wrong });
    const message =
      `Topic ${name} has ${setting}=${wrong}: set it with kafka-configs --alter --entity-type topics ` +
      `--entity-name ${name} --add-config ${setting}=${right}.`;
    // A broker hears of a changed setting a moment after the controller has taken it.
    await eventually(async () => expect(await refusal(log.config)).toMatchObject({ topic: name, setting, message }));
    await alter(name, { [setting]: right });
    await eventually(async () => expect(await refusal(log.config)).toBeUndefined());
  });

  test("more than is asked for is no reason", async () => {
    await alter(`${log.config.topicPrefix}entries`, { "retention.ms": "-1", "max.message.bytes": "16777216" });
    await eventually(async () => expect(await refusal(log.config)).toBeUndefined());
  });
});

describe("ensure-topics", () => {
  const run = async (env: Record<string, string>) => {
    const script = fileURLToPath(new URL("../src/ensure-topics.ts", import.meta.url));
    const done = promisify(execFile)(process.execPath, [script], { env: { PATH: process.env.PATH ?? "", ...env } });
    return done.then(
      ({ stdout }) => ({ code: 0, said: stdout }),
      ({ code, stderr }: { code: number; stderr: string }) => ({ code, said: stderr }),
    );
  };
  const base = () => ({
    KAFKA_BROKERS: log.config.brokers.join(","),
    TOPIC_PREFIX: `${uniqueName("cli")}.`,
    PARTITIONS: "3",
  });

  test("exits with 0 once they are there", async () => {
    const env = base();
    expect(await run(env)).toMatchObject({ code: 0 });
    await deleteTopics({ ...log.config, topicPrefix: env.TOPIC_PREFIX });
  });

  test.each([
    [{ KAFKA_BROKERS: "" }, "KAFKA_BROKERS is not set"],
    [{ PARTITIONS: "none" }, 'PARTITIONS is "none"'],
    [{ KAFKA_BROKERS: "127.0.0.1:1" }, "the topics can't be looked at"],
    [{ KAFKA_BROKERS: "nonsense" }, 'a broker is written host:port, not "nonsense"'],
    [{ KAFKA_SINGLE_BROKER_ALLOWED: "false" }, "The Kafka cluster has 1 broker"],
  ])("exits with 1 and one sentence: %o", async (env, sentence) => {
    const { code, said } = await run({ ...base(), ...env });
    expect(code).toBe(1);
    expect(said).toContain(sentence);
    expect(said.trim().split("\n")).toHaveLength(1);
  });
});
