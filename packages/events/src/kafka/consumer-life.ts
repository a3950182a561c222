import type { Consumer, EachBatchPayload } from "kafkajs";
import { createKafka, type KafkaClient } from "./client.ts";
import type { GroupConsumerOptions } from "./group-consumer.ts";

const REQUEST_TIMEOUT_MS = 10_000;
const REBALANCE_TIMEOUT_MS = 20_000;
/** Longer than any single request may take, and much longer than a fetch does. */
const STANDSTILL_MS = 30_000;
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
  #end: () => void = () => {};
  /** Resolves once nothing of this consumer is left, `onBatch` included. */
  readonly ended: Promise<void>;
  lastError: Error | null = null;

  constructor(options: GroupConsumerOptions, life: number, onAssigned: () => void) {
    this.#options = options;
    this.#onAssigned = onAssigned;
    this.#client = createKafka(options.config, {
      connectTimeoutMs: 3_000,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      retries: 3,
    });
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
      this.#end = resolve;
    });
    this.#watch = setInterval(() => this.#watchOver(), WATCH_EVERY_MS);
    this.#listen();
    this.#begin().catch((error: Error) => this.#finish(error));
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
    this.#finish(null);
    await this.ended;
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
    for (const event of [events.FETCH_START, events.FETCH, events.HEARTBEAT, events.END_BATCH_PROCESS] as const) {
      this.#consumer.on(event as typeof events.FETCH, alive);
    }
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => {
      alive();
      if (this.#over) return;
      this.#options.onAssigned(payload.memberAssignment[this.#options.topic] ?? []);
      this.#onAssigned();
    });
    this.#consumer.on(events.CRASH, ({ payload }) => this.#finish(payload.error));
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
    this.#finish(new Error(`nothing happened for ${STANDSTILL_MS} ms`));
  }

  #finish(error: Error | null): void {
    if (this.#over) return;
    this.#over = true;
    this.lastError = error;
    clearInterval(this.#watch);
    this.#client.abandon();
    this.#consumer.disconnect().catch(() => {});
    // What follows must not overlap with work on batches of this life.
    Promise.allSettled([...this.#working]).then(() => this.#end());
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
