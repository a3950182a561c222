import type { Consumer, EachBatchPayload } from "kafkajs";
import type { LogConfig } from "../config.ts";
import { createKafka, type KafkaClient } from "./client.ts";

export interface GroupConsumerOptions {
  config: LogConfig;
  /** Full name. */
  topic: string;
  /** Of the n-th life of this consumer, from 0. */
  groupId: (life: number) => string;
  maxWaitMs: number;
  maxBytes: number;
  maxBytesPerPartition: number;
  partitionsAtOnce: number;
  sessionTimeoutMs: number;
  /**
   * Called at every assignment before anything is fetched under it: says where to read by `seek`, and what
   * not to read yet by `pause`. Must not throw.
   */
  onAssigned: (partitions: number[]) => void;
  /** Resolves offsets by itself. Must not reject. */
  onBatch: (payload: EachBatchPayload) => Promise<void>;
}

const REQUEST_TIMEOUT_MS = 8_000;
/** How long the others of a group wait for a member that has a batch to finish. */
const REBALANCE_TIMEOUT_MS = 20_000;
/** Longer than joining may take. Fetches, also empty ones, come back much more often than that. */
const STANDSTILL_MS = REBALANCE_TIMEOUT_MS + 5_000;
const WATCH_EVERY_MS = 1_000;

/**
 * One kafkajs consumer from its first connection to its end. kafkajs' own restarts are off: after one of
 * them nothing is paused any more and every partition begins at a default offset.
 */
export class ConsumerLife {
  readonly #options: GroupConsumerOptions;
  readonly #client: KafkaClient;
  readonly #consumer: Consumer;
  readonly #onAssigned: () => void;
  readonly #working = new Set<Promise<void>>();
  readonly #watch: NodeJS.Timeout;
  #aliveAtMs = performance.now();
  #over = false;
  #resolveEnded: () => void = () => {};
  /** Resolves once nothing of this consumer is left, `onBatch` included. */
  readonly ended: Promise<void>;
  lastError: Error | null = null;

  constructor(options: GroupConsumerOptions, life: number, onAssigned: () => void) {
    this.#options = options;
    this.#onAssigned = onAssigned;
    this.#client = createKafka(
      options.config,
      { connectTimeoutMs: 3_000, requestTimeoutMs: REQUEST_TIMEOUT_MS, retries: 3 },
      (error) => this.end(error),
    );
    this.#consumer = this.#client.kafka.consumer({
      groupId: options.groupId(life),
      allowAutoTopicCreation: false,
      sessionTimeout: options.sessionTimeoutMs,
      heartbeatInterval: Math.floor(options.sessionTimeoutMs / 5),
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      maxWaitTimeInMs: options.maxWaitMs,
      maxBytes: options.maxBytes,
      maxBytesPerPartition: options.maxBytesPerPartition,
      readUncommitted: true,
      retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 1_000, restartOnFailure: async () => false },
    });
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#watch = setInterval(() => this.#watchOver(), WATCH_EVERY_MS);
    this.#listen();
    this.#begin().catch((error: Error) => this.end(error));
  }

  seek(partition: number, offset: number): void {
    this.#ifRunning(() => this.#consumer.seek({ topic: this.#options.topic, partition, offset: String(offset) }));
  }

  pause(partitions: number[]): void {
    this.#ifRunning(() => this.#consumer.pause([{ topic: this.#options.topic, partitions }]));
  }

  resume(partitions: number[]): void {
    this.#ifRunning(() => this.#consumer.resume([{ topic: this.#options.topic, partitions }]));
  }

  /** Leaves the group in good order, or without it after `timeoutMs`. */
  async leave(timeoutMs: number): Promise<void> {
    if (this.#over) return this.ended;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#consumer.disconnect().catch(() => {}), late]);
    clearTimeout(timer);
    this.end(null);
    await this.ended;
  }

  /** Throws the consumer away at once, without leaving the group. */
  end(error: Error | null): void {
    if (this.#over) return;
    this.#over = true;
    this.lastError = error;
    clearInterval(this.#watch);
    this.#client.abandon();
    this.#consumer.disconnect().catch(() => {});
    // What follows must not overlap with work on batches of this life.
    Promise.allSettled([...this.#working]).then(() => this.#resolveEnded());
  }

  async #begin(): Promise<void> {
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [this.#options.topic], fromBeginning: true });
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: this.#options.partitionsAtOnce,
      eachBatch: (payload) => this.#work(payload),
    });
  }

  #listen(): void {
    const { events } = this.#consumer;
    const alive = () => {
      this.#aliveAtMs = performance.now();
    };
    // FETCH_START comes as well where every fetch fails.
    this.#consumer.on(events.FETCH, alive);
    this.#consumer.on(events.END_BATCH_PROCESS, alive);
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => {
      alive();
      if (this.#over) return;
      this.#options.onAssigned(payload.memberAssignment[this.#options.topic] ?? []);
      this.#onAssigned();
    });
    this.#consumer.on(events.CRASH, ({ payload }) => this.end(payload.error));
  }

  async #work(payload: EachBatchPayload): Promise<void> {
    if (this.#over) return;
    const work = this.#options.onBatch(payload);
    this.#working.add(work);
    try {
      await work;
    } finally {
      this.#working.delete(work);
    }
  }

  #watchOver(): void {
    if (this.#working.size > 0 || performance.now() - this.#aliveAtMs < STANDSTILL_MS) return;
    this.end(new Error(`nothing happened for ${STANDSTILL_MS} ms`));
  }

  /** Between two lives, and before the group is joined, there is nothing to seek: `onAssigned` says it then. */
  #ifRunning(work: () => void): void {
    if (this.#over) return;
    try {
      work();
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "KafkaJSNonRetriableError") throw error;
    }
  }
}
