import process from "node:process";
import type { LogConfig } from "./config.ts";
import { ensureTopics } from "./topics.ts";

/**
 * Creates and checks the topics, then exits with 0, or with 1 and one sentence that says why not.
 * Reads KAFKA_BROKERS (comma list), TOPIC_PREFIX (default "coupon."), PARTITIONS (default 12) and
 * KAFKA_SINGLE_BROKER_ALLOWED ("true" or "false"; by default a broker on this machine alone may be the only one).
 */
function readConfig(env: NodeJS.ProcessEnv): LogConfig {
  const brokers = (env.KAFKA_BROKERS ?? "").split(",").filter((broker) => broker !== "");
  if (brokers.length === 0) throw new Error("KAFKA_BROKERS is not set: name the brokers as host:port,host:port.");
  const partitions = Number(env.PARTITIONS ?? 12);
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > 10_000) {
    throw new Error(`PARTITIONS is "${env.PARTITIONS}": set it to a number from 1 to 10000.`);
  }
  const single = env.KAFKA_SINGLE_BROKER_ALLOWED;
  return {
    brokers,
    topicPrefix: env.TOPIC_PREFIX ?? "coupon.",
    partitions,
    clientId: "ensure-topics",
    ...(single === undefined ? {} : { singleBrokerAllowed: single === "true" }),
  };
}

try {
  const config = readConfig(process.env);
  await ensureTopics(config);
  process.stdout.write(`The topics ${config.topicPrefix}* are there and set up as they should be.\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
