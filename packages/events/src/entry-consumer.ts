import type { EachBatchPayload } from "kafkajs";
import { type LogConfig, topicName } from "./config.ts";
import { LogShrunk, LogTruncated, type LogUnavailable } from "./errors.ts";
import { type LogMessage, readLogMessage } from "./headers.ts";
import { GroupConsumer } from "./kafka/group-consumer.ts";
import { LogLink } from "./kafka/log-link.ts";
import { EARLIEST, LATEST } from "./kafka/log-session.ts";

export interface EntryConsumerOptions {
  config: LogConfig;
  /** Its members share the partitions. */
  groupId: string;
  /** The offset of the next message to apply (0 before the first), as stored with what was applied. */
  positionOf: (partition: number) => Promise<number>;
  /**
   * Applies messages that begin exactly at the partition's position and have no gap; batches of one partition
   * come one after another. When it rejects, the partition is read again from `positionOf`, after a pause.
   */
  onBatch: (batch: { partition: number; messages: LogMessage[]; highWatermark: number }) => Promise<void>;
  /**
   * For how long a member that was killed keeps its partitions from the others. Brokers take 6,000 at least unless their
   * `group.min.session.timeout.ms` says less. Default 8,000.
   */
  sessionTimeoutMs?: number;
  /** A partition has been halted: the log begins after its position or ends before it. Nothing is skipped. */
  onAlarm: (alarm: LogTruncated | LogShrunk) => void;
}

/** Reads the entries in a group, each partition from the position that its applier has stored. */
export interface EntryConsumer {
  /** Resolves at the first assignment. @throws LogUnavailable where there is none within 30 s */
  start(): Promise<void>;
  /** Waits for the batches that are being applied, leaves the group, closes the connections; 15 s at most. */
  stop(): Promise<void>;
  /**
   * Of each partition assigned here: the offset of the next message to apply, and the one that the log's next
   * message will get, at most 5 s old.
   */
  lag(): Map<number, { position: number; end: number }>;
}

interface PartitionState {
  phase: "positioning" | "reading" | "halted";
  position: number;
  end: number;
  failures: number;
}

const START_TIMEOUT_MS = 30_000;
const OFFSETS_TIMEOUT_MS = 5_000;
const ENDS_EVERY_MS = 5_000;
const SESSION_TIMEOUT_MS = 8_000;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 10_000;

export function createEntryConsumer(options: EntryConsumerOptions): EntryConsumer {
  return new GroupEntryConsumer(options);
}

class GroupEntryConsumer implements EntryConsumer {
  readonly #options: EntryConsumerOptions;
  readonly #link: LogLink;
  readonly #sessionTimeoutMs: number;
  readonly #consumer: GroupConsumer;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Replaced at every assignment, so that what belongs to an earlier one is told by its states. */
  #states = new Map<number, PartitionState>();
  #stopped = false;

  constructor(options: EntryConsumerOptions) {
    this.#options = options;
    this.#link = new LogLink(options.config, "entries");
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS;
    this.#consumer = new GroupConsumer({
      config: options.config,
      topic: topicName(options.config, "entries"),
      groupId: () => options.groupId,
      maxWaitMs: 200,
      maxBytes: 24 * 1024 * 1024,
      maxBytesPerPartition: 2 * 1024 * 1024,
      partitionsAtOnce: 3,
      sessionTimeoutMs: this.#sessionTimeoutMs,
      onAssigned: (partitions) => this.#assign(partitions),
      onBatch: (payload) => this.#take(payload),
    });
  }

  async start(): Promise<void> {
    await this.#consumer.start(START_TIMEOUT_MS);
    this.#later(ENDS_EVERY_MS, () => this.#refreshEnds());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await this.#consumer.stop();
    this.#link.close();
  }

  lag(): Map<number, { position: number; end: number }> {
    const lag = new Map<number, { position: number; end: number }>();
    for (const [partition, { phase, position, end }] of this.#states) {
      if (position < 0) continue;
      lag.set(partition, { position, end: phase === "halted" ? end : Math.max(position, end) });
    }
    return lag;
  }

  #assign(partitions: number[]): void {
    this.#consumer.pause(partitions);
    this.#states = new Map(
      partitions.map((partition) => [partition, { phase: "positioning", position: -1, end: -1, failures: 0 }]),
    );
    for (const partition of partitions) void this.#position(partition, this.#states.get(partition));
  }

  /** Lets a partition be read from the position stored, or halts it where the log doesn't have that. */
  async #position(partition: number, state: PartitionState | undefined): Promise<void> {
    if (state === undefined || !this.#isCurrent(partition, state)) return;
    state.phase = "positioning";
    try {
      const position = await this.#options.positionOf(partition);
      const session = this.#link.session();
      const [[earliest = 0], [end = 0]] = await Promise.all([
        session.listOffsets([partition], EARLIEST, OFFSETS_TIMEOUT_MS),
        session.listOffsets([partition], LATEST, OFFSETS_TIMEOUT_MS),
      ]);
      if (!this.#isCurrent(partition, state)) return;
      state.position = position;
      state.end = end;
      if (position < earliest) return this.#halt(state, new LogTruncated(partition, position, earliest));
      if (position > end) return this.#halt(state, new LogShrunk(partition, position, end));
      state.phase = "reading";
      this.#consumer.seek(partition, position);
      this.#consumer.resume([partition]);
    } catch (error) {
      this.#retry(partition, state, error);
    }
  }

  #halt(state: PartitionState, alarm: LogTruncated | LogShrunk): void {
    state.phase = "halted";
    this.#options.onAlarm(alarm);
  }

  #retry(partition: number, state: PartitionState, error: unknown): void {
    state.phase = "positioning";
    this.#consumer.pause([partition]);
    const waitMs = Math.min(RETRY_MS_MIN * 2 ** state.failures, RETRY_MS_MAX);
    state.failures += 1;
    this.#options.config.log?.("warn", `partition ${partition} of the entries is read again in ${waitMs} ms`, {
      error: error instanceof Error ? error.message : String(error),
    });
    this.#later(waitMs, () => this.#position(partition, state));
  }

  async #take({ batch, heartbeat, resolveOffset }: EachBatchPayload): Promise<void> {
    const { partition } = batch;
    const state = this.#states.get(partition);
    if (state?.phase !== "reading") return;
    const first = Number(batch.firstOffset());
    if (first !== state.position) {
      // Fetched before a seek took effect, or kafkajs has reset because the log begins later: look again.
      this.#consumer.pause([partition]);
      void this.#position(partition, state);
      return;
    }
    const highWatermark = Number(batch.highWatermark);
    // A long transaction must not cost the membership; what the heartbeat says of a rebalance, the next one says again.
    const beat = setInterval(() => heartbeat().catch(() => {}), this.#sessionTimeoutMs / 5);
    try {
      await this.#options.onBatch({ partition, messages: batch.messages.map(readLogMessage), highWatermark });
      resolveOffset(batch.lastOffset());
      state.position = Number(batch.lastOffset()) + 1;
      state.end = highWatermark;
      state.failures = 0;
    } catch (error) {
      if (this.#isCurrent(partition, state)) this.#retry(partition, state, error);
    } finally {
      clearInterval(beat);
    }
  }

  async #refreshEnds(): Promise<void> {
    const states = this.#states;
    const partitions = [...states.keys()];
    try {
      if (partitions.length > 0) {
        const ends = await this.#link.session().listOffsets(partitions, LATEST, OFFSETS_TIMEOUT_MS);
        partitions.forEach((partition, i) => {
          const state = states.get(partition);
          if (state !== undefined) state.end = Math.max(state.end, ends[i] ?? -1);
        });
      }
    } catch (error) {
      this.#options.config.log?.("warn", "the ends of the entries are not known now", {
        error: (error as LogUnavailable).message,
      });
    }
    this.#later(ENDS_EVERY_MS, () => this.#refreshEnds());
  }

  #isCurrent(partition: number, state: PartitionState): boolean {
    return !this.#stopped && this.#states.get(partition) === state;
  }

  #later(waitMs: number, work: () => Promise<void>): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void work();
    }, waitMs);
    this.#timers.add(timer);
  }
}
