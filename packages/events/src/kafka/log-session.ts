import kafkajs, { type Admin, type Message, type Producer } from "kafkajs";
import type { LogConfig } from "../config.ts";
import { LogUnavailable } from "../errors.ts";
import { createKafka, type KafkaClient } from "./client.ts";

/** The ends of a partition's log, as kafkajs names them. */
export const EARLIEST = "low";
export const LATEST = "high";
export type LogEnd = typeof EARLIEST | typeof LATEST;

/** Headers that are the same on many records. */
export type FixedHeaders = Readonly<Record<string, string>>;

/** One message. `id` goes into the header `ce_id`, `epoch`, where there is one, into the header `epoch`. */
export interface LogRecord {
  key: string;
  /** null deletes the key from a compacted topic. */
  value: string | null;
  id: string;
  epoch: string | null;
  headers: FixedHeaders;
}

export interface PartitionRecords {
  partition: number;
  records: readonly LogRecord[];
}

/** Sends that may wait for their answers at once. */
const IN_FLIGHT_MAX = 64;
const ACKS_ALL = -1;
/** Above every bound that callers set: the session's own timer ends it first. */
const REQUEST_TIMEOUT_MS = 60_000;

/**
 * A kafkajs client for one topic, from its first use to its first failure. kafkajs' own retries are off, and its
 * idempotent mode is not used: after the first failure of any kind (a cut connection, a time-out, a partition
 * refused) the session ends, all of its sockets are closed and everything that waits is rejected, so that no answer
 * can come late and be taken for another's. Nothing is ever sent twice here.
 */
export class LogSession {
  readonly #topic: string;
  readonly #client: KafkaClient;
  readonly #producer: Producer;
  readonly #onEnd: () => void;
  /** How to tell those who wait that the session has ended. */
  readonly #waiting = new Set<(error: LogUnavailable) => void>();
  readonly #opening: Promise<void>;
  #admin: Promise<Admin> | null = null;
  #ended: LogUnavailable | null = null;
  #lastSend: Promise<unknown> = Promise.resolve();

  /** @param onEnd called once, before anything that waits is told */
  constructor(config: LogConfig, topic: string, onEnd: () => void) {
    this.#topic = topic;
    this.#onEnd = onEnd;
    // As many tries as there are brokers, for connecting; each goes to the next one of the list.
    const retries = config.brokers.length - 1;
    const options = { connectTimeoutMs: 5_000, requestTimeoutMs: REQUEST_TIMEOUT_MS, retries };
    this.#client = createKafka(config, options, (error) => this.end(asUnavailable(error)));
    this.#producer = this.#client.kafka.producer({
      allowAutoTopicCreation: false,
      idempotent: false,
      retry: { retries: 0 },
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    });
    this.#opening = this.#producer.connect();
    this.#opening.catch((error: unknown) => this.end(asUnavailable(error)));
  }

  /** Resolves once a broker knows the topic; ends the session if that takes longer. */
  async ready(timeoutMs: number): Promise<void> {
    await this.#within(timeoutMs, async () => {
      await this.#opening;
      const admin = await this.#connectedAdmin();
      await admin.fetchTopicMetadata({ topics: [this.#topic] });
    });
  }

  /**
   * Appends with one request per leading broker and resolves with the first offset of each partition, in
   * the order given, once all in-sync replicas have it.
   *
   * @throws LogUnavailable after `timeoutMs` at the latest; the session has ended then
   */
  produce(parts: readonly PartitionRecords[], timeoutMs: number): Promise<number[]> {
    return this.#within(timeoutMs, () => {
      // kafkajs lets calls overtake one another; here they stand in the log in the order in which they were made.
      const mine = this.#lastSend.then(() => this.#send(parts, timeoutMs));
      this.#lastSend = mine.catch(() => {});
      return mine;
    });
  }

  async #send(parts: readonly PartitionRecords[], timeoutMs: number): Promise<number[]> {
    await this.#opening;
    const messages = parts.flatMap(toMessages);
    const answers = await this.#producer.sendBatch({
      acks: ACKS_ALL,
      timeout: timeoutMs,
      topicMessages: [{ topic: this.#topic, messages }],
    });
    return parts.map(({ partition }) => {
      const answer = answers.find((one) => one.partition === partition);
      if (answer?.baseOffset === undefined) throw new LogUnavailable(`no offset for partition ${partition}`);
      return Number(answer.baseOffset);
    });
  }

  /** The first offset that the log still has (`EARLIEST`), or the one that the next message gets (`LATEST`). */
  listOffsets(partitions: readonly number[], end: LogEnd, timeoutMs: number): Promise<number[]> {
    return this.#within(timeoutMs, async () => {
      const admin = await this.#connectedAdmin();
      const found = await admin.fetchTopicOffsets(this.#topic);
      return partitions.map((partition) => {
        const one = found.find((each) => each.partition === partition);
        if (one === undefined) throw new LogUnavailable(`partition ${partition} of ${this.#topic} is not known`);
        return Number(one[end]);
      });
    });
  }

  /** The offset of each partition's first message with this timestamp (ms) or a later one; its end where there is none. */
  offsetsSince(partitions: readonly number[], timeMs: number, timeoutMs: number): Promise<number[]> {
    return this.#within(timeoutMs, async () => {
      const admin = await this.#connectedAdmin();
      const found = await admin.fetchTopicOffsetsByTimestamp(this.#topic, timeMs);
      return partitions.map((partition) => {
        const one = found.find((each) => each.partition === partition);
        if (one === undefined) throw new LogUnavailable(`partition ${partition} of ${this.#topic} is not known`);
        return Number(one.offset);
      });
    });
  }

  /** The topic's settings as the brokers have them now. */
  settings(timeoutMs: number): Promise<Map<string, string>> {
    return this.#within(timeoutMs, async () => {
      const admin = await this.#connectedAdmin();
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: this.#topic }],
      });
      const entries = resources[0]?.configEntries ?? [];
      return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
    });
  }

  end(error: LogUnavailable): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#onEnd();
    for (const reject of this.#waiting) reject(error);
    this.#client.abandon();
    this.#producer.disconnect().catch(() => {});
    this.#admin?.then((admin) => admin.disconnect()).catch(() => {});
  }

  #connectedAdmin(): Promise<Admin> {
    this.#admin ??= (async () => {
      const admin = this.#client.kafka.admin({ retry: { retries: 0 } });
      await admin.connect();
      return admin;
    })();
    return this.#admin;
  }

  async #within<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
    if (this.#ended !== null) throw this.#ended;
    if (this.#waiting.size >= IN_FLIGHT_MAX) {
      throw new LogUnavailable(`${IN_FLIGHT_MAX} requests to the log are waiting already`);
    }
    const timer = setTimeout(
      () => this.end(new LogUnavailable(`the log did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    // Not a race with one promise of the session: each request would leave its reactions on that for as long as the
    // session lives. A soak found the heap of issuing growing by 250 bytes a produce.
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.add(reject);
    work().then(resolve, reject);
    try {
      return await promise;
    } catch (error) {
      const unavailable = asUnavailable(error);
      this.end(unavailable);
      throw unavailable;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(reject);
    }
  }
}

function toMessages({ partition, records }: PartitionRecords): Message[] {
  return records.map(({ key, value, id, epoch, headers }) => ({
    partition,
    key,
    value,
    headers: epoch === null ? { ...headers, ce_id: id } : { ...headers, ce_id: id, epoch },
  }));
}

function asUnavailable(error: unknown): LogUnavailable {
  if (error instanceof LogUnavailable) return error;
  return new LogUnavailable(`the log can't be used: ${error instanceof Error ? error.message : error}`, {
    cause: error,
  });
}
