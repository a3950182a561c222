import { setTimeout as delay } from "node:timers/promises";
import { LogUnavailable } from "../errors.ts";
import { ConsumerLife, type GroupConsumerOptions } from "./consumer-life.ts";

const RESTART_MS_MIN = 100;
const RESTART_MS_MAX = 2_000;
const LEAVE_TIMEOUT_MS = 5_000;
const STOP_TIMEOUT_MS = 15_000;

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

  /** Takes a new consumer in place of the present one, which is thrown away with its connections. */
  renew(reason: Error): void {
    this.#life?.end(reason);
  }

  /** Leaves the group, closes every connection and waits for `onBatch`; for no longer than 15 s in all. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const timer = new AbortController();
    const bound = delay(STOP_TIMEOUT_MS, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([this.#life?.leave(LEAVE_TIMEOUT_MS).then(() => this.#running), bound]);
    timer.abort();
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
