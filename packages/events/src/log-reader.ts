import type { EachBatchPayload } from "kafkajs";
import { type LogConfig, topicName } from "./config.ts";
import { LogShrunk, LogTruncated, LogUnavailable } from "./errors.ts";
import { type LogMessage, readLogMessage } from "./headers.ts";
import { GroupConsumer } from "./kafka/group-consumer.ts";
import { LogLink } from "./kafka/log-link.ts";
import { EARLIEST, LATEST } from "./kafka/log-session.ts";
import { RangeRead } from "./range-read.ts";

/** Reads ranges of the entries, partition by partition, wherever the caller says. */
export interface LogReader {
  /** @throws LogUnavailable where no broker lets it join within 20 s */
  connect(): Promise<void>;
  /**
   * The messages from offset `from` up to, not including, `to`, in order and without a gap. Ranges of
   * different partitions may be read at once; a second range of the same partition waits for the first.
   *
   * @throws LogTruncated where the log begins after `from`; what comes later is never given instead
   * @throws LogShrunk where the log ends before `from`
   * @throws LogUnavailable where nothing comes for `progressTimeoutMs`
   */
  readRange(partition: number, from: number, to: number): AsyncIterable<LogMessage[]>;
  /** `readRange` that hands over by a call; the next messages wait until it is done. */
  read(
    partition: number,
    from: number,
    to: number,
    onBatch: (messages: LogMessage[]) => void | Promise<void>,
  ): Promise<void>;
  /** The first offset that the log still has. @throws LogUnavailable after 5 s */
  earliest(partition: number): Promise<number>;
  /** The offset that the next message will get. @throws LogUnavailable after 5 s */
  end(partition: number): Promise<number>;
  /** Ends what is being read with LogUnavailable, leaves the group and closes the connections. */
  close(): Promise<void>;
}

const JOIN_TIMEOUT_MS = 20_000;
const OFFSETS_TIMEOUT_MS = 5_000;
const PROGRESS_TIMEOUT_MS = 10_000;

export interface LogReaderOptions {
  config: LogConfig;
  /** Unique to this process: a group of its own, for kafkajs can't read without one. */
  groupId: string;
  /** How long a read waits for the next messages. Default 10,000. */
  progressTimeoutMs?: number;
}

export function createLogReader(options: LogReaderOptions): LogReader {
  return new GroupLogReader(options);
}

/**
 * kafkajs assigns partitions only through a group. So this is the only member of its group, has every
 * partition, and keeps all of them paused but those that are being read.
 */
class GroupLogReader implements LogReader {
  readonly #link: LogLink;
  readonly #consumer: GroupConsumer;
  readonly #all: number[];
  readonly #reads = new Map<number, RangeRead>();
  readonly #last = new Map<number, Promise<void>>();
  readonly #progressTimeoutMs: number;
  #closed = false;

  constructor({ config, groupId, progressTimeoutMs = PROGRESS_TIMEOUT_MS }: LogReaderOptions) {
    this.#progressTimeoutMs = progressTimeoutMs;
    this.#link = new LogLink(config, "entries");
    this.#all = Array.from({ length: config.partitions }, (_, partition) => partition);
    this.#consumer = new GroupConsumer({
      config,
      topic: topicName(config, "entries"),
      groupId: (life) => `${groupId}.${life}`,
      // While all is paused kafkajs sleeps this long, and a read waits for it.
      maxWaitMs: 40,
      maxBytes: 16 * 1024 * 1024,
      maxBytesPerPartition: 2 * 1024 * 1024,
      partitionsAtOnce: 4,
      sessionTimeoutMs: 30_000,
      onAssigned: () => this.#resumeReads(),
      onBatch: (payload) => this.#take(payload),
    });
  }

  async connect(): Promise<void> {
    await this.#consumer.start(JOIN_TIMEOUT_MS);
  }

  async *readRange(partition: number, from: number, to: number): AsyncGenerator<LogMessage[]> {
    if (from >= to) return;
    const release = await this.#turn(partition);
    const read = new RangeRead(partition, from, to, (behind) => this.#flow(read, behind));
    try {
      await this.#checkRange(partition, from);
      if (this.#closed) throw new LogUnavailable("the reader is closed");
      this.#reads.set(partition, read);
      this.#flow(read, false);
      for (;;) {
        const messages = await read.next(this.#progressTimeoutMs);
        if (messages === null) return;
        yield messages;
      }
    } catch (error) {
      // Whoever tries again shall not do it over a connection that has gone silent.
      if (read.timedOut) this.#consumer.renew(error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      this.#consumer.pause([partition]);
      if (this.#reads.get(partition) === read) this.#reads.delete(partition);
      release();
    }
  }

  async read(
    partition: number,
    from: number,
    to: number,
    onBatch: (messages: LogMessage[]) => void | Promise<void>,
  ): Promise<void> {
    for await (const messages of this.readRange(partition, from, to)) await onBatch(messages);
  }

  async earliest(partition: number): Promise<number> {
    const [offset] = await this.#link.session().listOffsets([partition], EARLIEST, OFFSETS_TIMEOUT_MS);
    return offset as number;
  }

  async end(partition: number): Promise<number> {
    const [offset] = await this.#link.session().listOffsets([partition], LATEST, OFFSETS_TIMEOUT_MS);
    return offset as number;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const read of this.#reads.values()) read.fail(new LogUnavailable("the reader is closed"));
    this.#link.close();
    await this.#consumer.stop();
  }

  /** Waits for the reads of this partition that came before; the function given back lets the next one go. */
  async #turn(partition: number): Promise<() => void> {
    const before = this.#last.get(partition);
    let release: () => void = () => {};
    const mine = new Promise<void>((resolve) => {
      release = resolve;
    });
    const last = before === undefined ? mine : before.then(() => mine);
    this.#last.set(partition, last);
    await before;
    return release;
  }

  async #checkRange(partition: number, from: number): Promise<void> {
    const [earliest, end] = await Promise.all([this.earliest(partition), this.end(partition)]);
    if (from < earliest) throw new LogTruncated(partition, from, earliest);
    if (from > end) throw new LogShrunk(partition, from, end);
  }

  #resumeReads(): void {
    this.#consumer.pause(this.#all);
    for (const read of this.#reads.values()) this.#flow(read, false);
  }

  /** Fetches for a read from where it stands, or holds it while its taker is behind. */
  #flow(read: RangeRead, behind: boolean): void {
    if (this.#reads.get(read.partition) !== read) return;
    if (behind || read.complete) {
      this.#consumer.pause([read.partition]);
      return;
    }
    this.#consumer.seek(read.partition, read.expected);
    this.#consumer.resume([read.partition]);
  }

  async #take({ batch, resolveOffset }: EachBatchPayload): Promise<void> {
    const read = this.#reads.get(batch.partition);
    if (read === undefined) return;
    const first = Number(batch.firstOffset());
    if (first !== read.expected) {
      // Fetched for an earlier read, or reset by kafkajs because the log begins later now.
      this.#consumer.pause([batch.partition]);
      void this.#lookAgain(read);
      return;
    }
    const messages: LogMessage[] = [];
    let bytes = 0;
    for (const raw of batch.messages) {
      if (Number(raw.offset) >= read.to) break;
      messages.push(readLogMessage(raw));
      bytes += raw.value?.length ?? 0;
    }
    resolveOffset(String(read.expected + messages.length - 1));
    read.put(messages, bytes);
    if (read.complete) this.#consumer.pause([batch.partition]);
  }

  async #lookAgain(read: RangeRead): Promise<void> {
    try {
      await this.#checkRange(read.partition, read.expected);
      this.#flow(read, false);
    } catch (error) {
      read.fail(error instanceof Error ? error : new LogUnavailable(String(error)));
    }
  }
}
