import { setTimeout as delay } from "node:timers/promises";
import kafkajs, { type Admin, type ITopicConfig } from "kafkajs";
import { type LogConfig, parseBroker, type Topic, topicName, topics } from "./config.ts";
import { LogUnavailable, TopicMisconfigured } from "./errors.ts";
import { createKafka } from "./kafka/client.ts";
import { LogLink } from "./kafka/log-link.ts";
import { LATEST } from "./kafka/log-session.ts";
import { topicSettings } from "./topic-settings.ts";

const REQUEST_TIMEOUT_MS = 10_000;
const TOTAL_TIMEOUT_MS = 30_000;
const SERVED_TIMEOUT_MS = 10_000;
const SERVED_RETRY_MS = 50;
const REPLICATION_IN_PRODUCTION = 3;

/**
 * Creates the topics that are missing, with their stated settings, and checks those that are there. Safe to
 * run at any time and from several processes at once; changes nothing that exists.
 *
 * @throws TopicMisconfigured with one sentence that names the setting, what it is and what to do
 * @throws LogUnavailable where no broker answers within 30 s
 */
export function ensureTopics(config: LogConfig): Promise<void> {
  return withAdmin(config, async (admin) => {
    const brokers = await usableBrokers(admin, config);
    const existing = new Set(await admin.listTopics());
    const missing = topics.filter((topic) => !existing.has(topicName(config, topic)));
    if (missing.length > 0) {
      await admin.createTopics({
        topics: missing.map((topic) => topicCreation(config, topic, brokers)),
        // It takes a topic that is not known everywhere yet for an error.
        waitForLeaders: false,
        timeout: REQUEST_TIMEOUT_MS,
      });
    }
    await Promise.all(missing.map((topic) => untilServed(config, topic)));
    await check(admin, config, brokers);
    // Another process may have created the others just now.
    await Promise.all(topics.map((topic) => untilServed(config, topic)));
  });
}

/**
 * Checks that the topics are there and set up as the platform needs them. Creates nothing.
 *
 * @throws TopicMisconfigured with one sentence that names the setting, what it is and what to do
 * @throws LogUnavailable where no broker answers within 30 s
 */
export function checkTopics(config: LogConfig): Promise<void> {
  return withAdmin(config, async (admin) => check(admin, config, await usableBrokers(admin, config)));
}

async function withAdmin(config: LogConfig, work: (admin: Admin) => Promise<void>): Promise<void> {
  const client = createKafka(config, { connectTimeoutMs: 2_000, requestTimeoutMs: REQUEST_TIMEOUT_MS, retries: 4 });
  const admin = client.kafka.admin();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${TOTAL_TIMEOUT_MS} ms`)), TOTAL_TIMEOUT_MS);
  });
  const working = admin.connect().then(() => work(admin));
  try {
    await Promise.race([working, late]);
    await admin.disconnect();
  } catch (error) {
    if (error instanceof TopicMisconfigured) throw error;
    throw new LogUnavailable(`the topics can't be looked at: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    client.abandon();
    working.catch(() => {});
  }
}

/** A topic that was just created takes a moment until every leader serves it. */
async function untilServed(config: LogConfig, topic: Topic): Promise<void> {
  const link = new LogLink(config, topic);
  const count = topicSettings[topic].partitions ?? config.partitions;
  const deadline = performance.now() + SERVED_TIMEOUT_MS;
  try {
    for (;;) {
      const partitions = Array.from({ length: count }, (_, partition) => partition);
      const failure = await link
        .session()
        .listOffsets(partitions, LATEST, REQUEST_TIMEOUT_MS)
        .then(
          () => null,
          (error: unknown) => error,
        );
      if (failure === null) return;
      if (performance.now() > deadline) throw failure;
      await delay(SERVED_RETRY_MS);
    }
  } finally {
    link.close();
  }
}

/** How many brokers the cluster has, where that many will do. */
async function usableBrokers(admin: Admin, config: LogConfig): Promise<number> {
  const count = (await admin.describeCluster()).brokers.length;
  if (count >= REPLICATION_IN_PRODUCTION) return count;
  const allowed = config.singleBrokerAllowed ?? config.brokers.every((broker) => isLoopback(parseBroker(broker).host));
  if (count === 1 && allowed) return count;
  throw new TopicMisconfigured(
    "",
    "replication.factor",
    `The Kafka cluster has ${count} broker${count === 1 ? "" : "s"}, so the replication factor can be ${count} at most: ` +
      `add brokers until there are ${REPLICATION_IN_PRODUCTION}, or, on one broker whose loss may lose coupons, allow a single broker.`,
  );
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function replicationOf(brokers: number): number {
  return Math.min(REPLICATION_IN_PRODUCTION, brokers);
}

function inSyncReplicasOf(brokers: number): number {
  return brokers >= REPLICATION_IN_PRODUCTION ? 2 : 1;
}

/** What a topic is created with on so many brokers. */
export function topicCreation(config: LogConfig, topic: Topic, brokers: number): ITopicConfig {
  const { partitions, cleanupPolicy, retentionMs, maxMessageBytes } = topicSettings[topic];
  const entries: Record<string, string> = {
    "cleanup.policy": cleanupPolicy,
    "min.insync.replicas": String(inSyncReplicasOf(brokers)),
    "unclean.leader.election.enable": "false",
    "max.message.bytes": String(maxMessageBytes),
  };
  if (retentionMs !== null) {
    entries["retention.ms"] = String(retentionMs);
    entries["retention.bytes"] = "-1";
  }
  return {
    topic: topicName(config, topic),
    numPartitions: partitions ?? config.partitions,
    replicationFactor: replicationOf(brokers),
    configEntries: Object.entries(entries).map(([name, value]) => ({ name, value })),
  };
}

async function check(admin: Admin, config: LogConfig, brokers: number): Promise<void> {
  const existing = new Set(await admin.listTopics());
  for (const topic of topics) {
    const name = topicName(config, topic);
    if (existing.has(name)) continue;
    throw new TopicMisconfigured(
      name,
      "existence",
      `Topic ${name} does not exist: run ensure-topics, which creates it.`,
    );
  }
  const { topics: described } = await admin.fetchTopicMetadata({
    topics: topics.map((topic) => topicName(config, topic)),
  });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((topic) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name: topicName(config, topic) })),
  });
  for (const topic of topics) {
    const name = topicName(config, topic);
    const { partitions = [] } = described.find((one) => one.name === name) ?? {};
    checkPartitions(
      config,
      topic,
      partitions.map(({ replicas }) => replicas.length),
      brokers,
    );
    const found = resources.find(({ resourceName }) => resourceName === name)?.configEntries ?? [];
    checkSettings(
      config,
      topic,
      new Map(found.map(({ configName, configValue }) => [configName, configValue])),
      brokers,
    );
  }
}

function checkPartitions(config: LogConfig, topic: Topic, replicas: number[], brokers: number): void {
  const name = topicName(config, topic);
  const wanted = topicSettings[topic].partitions ?? config.partitions;
  if (replicas.length !== wanted) {
    const remedy =
      topicSettings[topic].partitions === null
        ? "set PARTITIONS to what the topic has, for a shard can't move to another partition"
        : "create it anew under another TOPIC_PREFIX";
    throw new TopicMisconfigured(
      name,
      "partitions",
      `Topic ${name} has ${replicas.length} partitions where ${wanted} are configured: ${remedy}.`,
    );
  }
  const least = Math.min(...replicas);
  if (least < replicationOf(brokers)) {
    throw new TopicMisconfigured(
      name,
      "replication.factor",
      `Topic ${name} has a replication factor of ${least}: reassign its partitions with ${replicationOf(brokers)} replicas (kafka-reassign-partitions).`,
    );
  }
}

function checkSettings(config: LogConfig, topic: Topic, found: Map<string, string>, brokers: number): void {
  const name = topicName(config, topic);
  const { cleanupPolicy, retentionMs, maxMessageBytes } = topicSettings[topic];
  const require = (setting: string, wanted: string, holds: (value: string) => boolean) => {
    const value = found.get(setting) ?? "";
    if (holds(value)) return;
    throw new TopicMisconfigured(
      name,
      setting,
      `Topic ${name} has ${setting}=${value || "(unknown)"}: set it with kafka-configs --alter --entity-type topics ` +
        `--entity-name ${name} --add-config ${setting}=${wanted}.`,
    );
  };
  const atLeast = (least: number) => (value: string) => value === "-1" || Number(value) >= least;
  const inSync = inSyncReplicasOf(brokers);
  require("cleanup.policy", cleanupPolicy, (value) => value === cleanupPolicy);
  require("min.insync.replicas", String(inSync), (value) => Number(value) >= inSync);
  require("unclean.leader.election.enable", "false", (value) => value === "false");
  require("max.message.bytes", String(maxMessageBytes), (value) => Number(value) >= maxMessageBytes);
  if (retentionMs === null) return;
  require("retention.ms", String(retentionMs), atLeast(retentionMs));
  require("retention.bytes", "-1", (value) => value === "-1");
}
