import { randomUUID } from "node:crypto";
import { type LogConfig, type Topic, topicName } from "./config.ts";
import { LogUnavailable } from "./errors.ts";
import { GroupConsumer } from "./kafka/group-consumer.ts";
import { LogLink } from "./kafka/log-link.ts";
import { EARLIEST, LATEST } from "./kafka/log-session.ts";

export interface FollowerOptions {
  config: LogConfig;
  /** Of one partition. */
  topic: Topic;
  /** From the log's first message, or from those that come after the start. */
  from: "earliest" | "latest";
  /** Must not throw. `value` is null where the message deletes the key. */
  onMessage: (key: string, value: string | null) => void;
  maxWaitMs: number;
}

const START_TIMEOUT_MS = 30_000;
const OFFSETS_TIMEOUT_MS = 10_000;

/** Reads a topic of one partition for ever, from the one place on; after an interruption from where it was. */
export class TopicFollower {
  readonly #options: FollowerOptions;
  readonly #link: LogLink;
  readonly #consumer: GroupConsumer;
  #next = 0;
  #goal = 0;
  #reached: () => void = () => {};
  #abandoned: (error: LogUnavailable) => void = () => {};

  constructor(options: FollowerOptions) {
    const group = `${topicName(options.config, options.topic)}.follower.${randomUUID()}`;
    this.#options = options;
    this.#link = new LogLink(options.config, options.topic);
    this.#consumer = new GroupConsumer({
      config: options.config,
      topic: topicName(options.config, options.topic),
      groupId: (life) => `${group}.${life}`,
      maxWaitMs: options.maxWaitMs,
      maxBytes: 8 * 1024 * 1024,
      maxBytesPerPartition: 8 * 1024 * 1024,
      partitionsAtOnce: 1,
      sessionTimeoutMs: 30_000,
      onAssigned: () => this.#consumer.seek(0, this.#next),
      onBatch: async ({ batch, resolveOffset }) => {
        // A reset by kafkajs, where the topic was made anew, begins before what was read: that is read too.
        for (const { key, value } of batch.messages) {
          if (key !== null) this.#options.onMessage(key.toString("utf8"), value?.toString("utf8") ?? null);
        }
        resolveOffset(batch.lastOffset());
        this.#next = Number(batch.lastOffset()) + 1;
        if (this.#next >= this.#goal) this.#reached();
      },
    });
  }

  /**
   * Resolves once everything that the topic held at the start has been handed over.
   * @throws LogUnavailable where that takes longer than 30 s; nothing is left running then
   */
  async start(): Promise<void> {
    const startedAt = performance.now();
    try {
      const session = this.#link.session();
      const [[earliest = 0], [end = 0]] = await Promise.all([
        session.listOffsets([0], EARLIEST, OFFSETS_TIMEOUT_MS),
        session.listOffsets([0], LATEST, OFFSETS_TIMEOUT_MS),
      ]);
      this.#next = this.#options.from === "earliest" ? earliest : end;
      this.#goal = end;
      const caughtUp = this.#caughtUp(START_TIMEOUT_MS);
      await this.#consumer.start(START_TIMEOUT_MS - (performance.now() - startedAt));
      await caughtUp;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#abandoned(new LogUnavailable(`following ${this.#options.topic} was ended`));
    this.#link.close();
    await this.#consumer.stop();
  }

  #caughtUp(timeoutMs: number): Promise<void> {
    if (this.#next >= this.#goal) return Promise.resolve();
    const caughtUp = new Promise<void>((resolve, reject) => {
      const late = new LogUnavailable(`${this.#options.topic} was not read to its end within ${timeoutMs} ms`);
      const timer = setTimeout(() => reject(late), timeoutMs);
      this.#reached = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#abandoned = (error) => {
        clearTimeout(timer);
        reject(error);
      };
    });
    caughtUp.catch(() => {});
    return caughtUp;
  }
}
