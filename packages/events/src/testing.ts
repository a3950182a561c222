import { randomBytes } from "node:crypto";
import kafkajs from "kafkajs";
import { type LogConfig, topicName, topics } from "./config.ts";
import { createKafka } from "./kafka/client.ts";
import { ensureTopics } from "./topics.ts";

/** A log of one test's own: topics under a prefix that nobody else has. */
export interface TestLog {
  config: LogConfig;
  /** Deletes the topics. */
  remove(): Promise<void>;
}

/**
 * Creates the topics under a unique prefix on the broker that `KAFKA_BROKERS` names.
 * @throws Error where that is not set; TopicMisconfigured, LogUnavailable like `ensureTopics`
 */
export async function createTestLog(overrides: Partial<LogConfig> = {}): Promise<TestLog> {
  const brokers = (process.env.KAFKA_BROKERS ?? "").split(",").filter((broker) => broker !== "");
  if (brokers.length === 0 && overrides.brokers === undefined) throw new Error("KAFKA_BROKERS is not set");
  const config: LogConfig = {
    brokers,
    topicPrefix: `test-${randomBytes(6).toString("hex")}.`,
    partitions: 4,
    clientId: "test",
    ...overrides,
  };
  await ensureTopics(config);
  return { config, remove: () => deleteTopics(config) };
}

/** Deletes the topics of a log; those that do not exist are passed over. */
export async function deleteTopics(config: LogConfig): Promise<void> {
  await withAdmin(config, async (admin) => {
    const existing = new Set(await admin.listTopics());
    const names = topics.map((topic) => topicName(config, topic)).filter((name) => existing.has(name));
    if (names.length > 0) await admin.deleteTopics({ topics: names, timeout: 10_000 });
  });
}

/** Deletes what comes before `offset` in a partition of the entries, as retention would. */
export async function truncateEntries(config: LogConfig, partition: number, offset: number): Promise<void> {
  const topic = topicName(config, "entries");
  await withAdmin(config, async (admin) => {
    // Without it kafkajs doesn't know who leads, and fails.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
  });
}

/** Alters settings of the entries topic and leaves its others, as an operator would while everything runs. */
export async function alterEntries(config: LogConfig, settings: Record<string, string>): Promise<void> {
  const topic = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topicName(config, "entries") };
  await withAdmin(config, async (admin) => {
    // The request replaces all that was set for the topic.
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [topic] });
    const own = resources[0]?.configEntries.filter(({ isDefault }) => !isDefault) ?? [];
    const all = {
      ...Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue])),
      ...settings,
    };
    const configEntries = Object.entries(all).map(([name, value]) => ({ name, value }));
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...topic, configEntries }] });
  });
}

type Admin = ReturnType<ReturnType<typeof createKafka>["kafka"]["admin"]>;

async function withAdmin(config: LogConfig, work: (admin: Admin) => Promise<void>): Promise<void> {
  const client = createKafka(config, { connectTimeoutMs: 2_000, requestTimeoutMs: 10_000, retries: 3 });
  const admin = client.kafka.admin();
  try {
    await admin.connect();
    await work(admin);
    await admin.disconnect();
  } finally {
    client.abandon();
  }
}
