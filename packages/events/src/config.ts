/** Where a message about the log goes. Nothing is written anywhere else. */
export type LogSink = (level: "error" | "warn" | "info" | "debug", message: string, fields: object) => void;

/** Which log, and under which name this process uses it. */
export interface LogConfig {
  /** `host:port` of some brokers; the others are learned from them. */
  brokers: string[];
  /** Put before every topic's name, such as `coupon.`. */
  topicPrefix: string;
  /** Partitions of the entries topic. */
  partitions: number;
  clientId: string;
  /**
   * Whether a log on one single broker, which loses what it has acknowledged with its disk, will do.
   * By default it does where that broker is on this machine (a loopback address).
   */
  singleBrokerAllowed?: boolean;
  /** Receives what the client has to say; by default nobody. */
  log?: LogSink;
}

export const topics = ["entries", "batches", "callers", "rules-applied"] as const;
export type Topic = (typeof topics)[number];

/** The full name of a topic. */
export function topicName(config: Pick<LogConfig, "topicPrefix">, topic: Topic): string {
  return `${config.topicPrefix}${topic}`;
}

/** @throws RangeError where the text is not `host:port` */
export function parseBroker(broker: string): { host: string; port: number } {
  const at = broker.lastIndexOf(":");
  const port = Number(broker.slice(at + 1));
  if (at < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`a broker is written host:port, not "${broker}"`);
  }
  return { host: broker.slice(0, at).replace(/^\[(.*)\]$/, "$1"), port };
}
