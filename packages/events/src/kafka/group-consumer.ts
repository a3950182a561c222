import { setTimeout as delay } from "node:timers/promises";
import type { EachBatchPayload } from "kafkajs";
import type { LogConfig } from "../config.ts";
import { LogUnavailable } from "../errors.ts";
import { ConsumerLife } from "./consumer-life.ts";

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

const RESTART_MS_MIN = 100;
const RESTART_MS_MAX = 5_000;
const STOP_TIMEOUT_MS = 5_000;

/**
 * A member of a consumer group that outlives what kafkajs does not: when its consumer crashes, can't join
 * or stands still, it is thrown away with its connections and a new one takes its place, for as long as it
 * takes. Offsets are never committed; the owner says where to read at every assignment.
 */
export class GroupConsumer {
  readonly #options: GroupConsumerOptions;
  readonly #stopping = new AbortController();
  #life: ConsumerLife | null = null;
  #running: Promise<void> | null = null;

  constructor(options: GroupConsumerOptions) {
    this.#options = options;
  }

  /**
   * Resolves at the first assignment.
   * @throws LogUnavailable where there is none within `timeoutMs`; the consumer is stopped then
   */
  async start(timeoutMs: number): Promise<void> {
    let assigned: () => void = () => {};
    const joined = new Promise<void>((resolve) => {
      assigned = resolve;
    });
    this.#running = this.#run(assigned);
    const timer = new AbortController();
    const late = delay(timeoutMs, "late", { signal: timer.signal }).catch(() => "cancelled");
    const outcome = await Promise.race([joined, late]);
    timer.abort();
    if (outcome !== "late") return;
    const { lastError } = this.#life ?? {};
    await this.stop();
    throw new LogUnavailable(`the log gave nothing to read of ${this.#options.topic} within ${timeoutMs} ms`, {
      cause: lastError,
    });
  }

  seek(partition: number, offset: number): void {
    this.#life?.seek(partition, offset);
  }

  pause(partitions: number[]): void {
    this.#life?.pause(partitions);
  }

  resume(partitions: number[]): void {
    this.#life?.resume(partitions);
  }

  /** Leaves the group and closes every connection; resolves after at most 5 s and what `onBatch` still takes. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#life?.leave(STOP_TIMEOUT_MS);
    await this.#running;
  }

  async #run(onFirstAssignment: () => void): Promise<void> {
    const { signal } = this.#stopping;
    let restartMs = RESTART_MS_MIN;
    for (let n = 0; !signal.aborted; n += 1) {
      const life = new ConsumerLife(this.#options, n, () => {
        restartMs = RESTART_MS_MIN;
        onFirstAssignment();
      });
      this.#life = life;
      await life.ended;
      if (signal.aborted) break;
      const { lastError } = life;
      this.#options.config.log?.("warn", `reading ${this.#options.topic} was interrupted`, {
        error: lastError?.message,
      });
      await delay(restartMs, undefined, { signal }).catch(() => {});
      restartMs = Math.min(restartMs * 2, RESTART_MS_MAX);
    }
  }
}
