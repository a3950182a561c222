import { type LogConfig, parseBroker } from "../config.ts";
import { LogUnavailable } from "../errors.ts";
import { BrokerConnection } from "./broker-connection.ts";
import {
  api,
  errorName,
  type Metadata,
  type PartitionAnswer,
  readListOffsets,
  readMetadata,
  readProduce,
  writeListOffsets,
  writeMetadata,
  writeProduceHeader,
} from "./protocol.ts";
import { type WireRecord, writeRecordBatch } from "./record-batch.ts";
import type { Writer } from "./writer.ts";

export interface PartitionRecords {
  partition: number;
  records: readonly WireRecord[];
}

/** Sends that may wait for their answers at once, over all brokers. */
const IN_FLIGHT_MAX = 64;

/**
 * The connections to the leaders of one topic's partitions, from the first look-up of who leads to the
 * first failure. The first failure of any kind (a cut connection, a time-out, a partition refused) ends
 * all of them and rejects everything that waits: no answer can come late and be taken for another's, and
 * who leads is asked anew. Nothing is ever sent twice here.
 */
export class LogSession {
  readonly #config: LogConfig;
  readonly #topic: string;
  readonly #connections = new Map<number, BrokerConnection>();
  readonly #onEnd: () => void;
  readonly #opening: Promise<Metadata>;
  readonly #failed: Promise<never>;
  #rejectFailed: (error: LogUnavailable) => void = () => {};
  #metadata: Metadata | null = null;
  #ended: LogUnavailable | null = null;
  #inFlight = 0;
  #seed: BrokerConnection | null = null;

  /** @param onEnd called once, before anything that waits is told */
  constructor(config: LogConfig, topic: string, onEnd: () => void) {
    this.#config = config;
    this.#topic = topic;
    this.#onEnd = onEnd;
    this.#failed = new Promise((_, reject) => {
      this.#rejectFailed = reject;
    });
    this.#failed.catch(() => {});
    this.#opening = this.#open();
    this.#opening.catch((error: unknown) => this.end(asUnavailable(error)));
  }

  /** Resolves once it is known who leads; ends the session if that takes longer. */
  async ready(timeoutMs: number): Promise<void> {
    await this.#within(timeoutMs, () => Promise.race([this.#opening, this.#failed]));
  }

  /**
   * Appends with one request per leading broker and resolves with the first offset of each partition, in
   * the order given, once all in-sync replicas have it.
   *
   * @throws LogUnavailable after `timeoutMs` at the latest; the session has ended then
   */
  produce(parts: readonly PartitionRecords[], timeoutMs: number): Promise<number[]> {
    return this.#within(timeoutMs, async () => {
      const leaders = this.#metadata ?? (await Promise.race([this.#opening, this.#failed]));
      const answers = await this.#perLeader(
        leaders,
        parts,
        (part) => part.partition,
        (connection, own) =>
          connection.request(api.produce.key, api.produce.version, (writer) => {
            writeProduceHeader(writer, this.#topic, timeoutMs, own.length);
            for (const part of own) writePart(writer, part);
          }),
        readProduce,
      );
      return this.#inOrder(parts, answers);
    });
  }

  /** The first offset that the log still has (`EARLIEST`), or the one that the next message gets (`LATEST`). */
  listOffsets(partitions: readonly number[], timestamp: number, timeoutMs: number): Promise<number[]> {
    return this.#within(timeoutMs, async () => {
      const leaders = this.#metadata ?? (await Promise.race([this.#opening, this.#failed]));
      const answers = await this.#perLeader(
        leaders,
        partitions,
        (partition) => partition,
        (connection, own) =>
          connection.request(api.listOffsets.key, api.listOffsets.version, (writer) =>
            writeListOffsets(writer, this.#topic, own, timestamp),
          ),
        readListOffsets,
      );
      return this.#inOrder(
        partitions.map((partition) => ({ partition })),
        answers,
      );
    });
  }

  end(error: LogUnavailable): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#onEnd();
    this.#seed?.close(error);
    for (const connection of this.#connections.values()) connection.close(error);
    this.#rejectFailed(error);
  }

  async #within<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
    if (this.#ended !== null) throw this.#ended;
    if (this.#inFlight >= IN_FLIGHT_MAX)
      throw new LogUnavailable(`${IN_FLIGHT_MAX} requests to the log are waiting already`);
    this.#inFlight += 1;
    const timer = setTimeout(
      () => this.end(new LogUnavailable(`the log did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      return await work();
    } catch (error) {
      const unavailable = asUnavailable(error);
      this.end(unavailable);
      throw unavailable;
    } finally {
      clearTimeout(timer);
      this.#inFlight -= 1;
    }
  }

  async #open(): Promise<Metadata> {
    const { brokers } = this.#config;
    const first = Math.floor(Math.random() * brokers.length);
    let last: unknown = new LogUnavailable("no broker is configured");
    for (let i = 0; i < brokers.length && this.#ended === null; i += 1) {
      try {
        const metadata = await this.#ask(brokers[(first + i) % brokers.length] as string);
        this.#metadata = metadata;
        return metadata;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }

  async #ask(broker: string): Promise<Metadata> {
    const { host, port } = parseBroker(broker);
    const seed = new BrokerConnection(host, port, this.#config.clientId, () => {});
    this.#seed = seed;
    try {
      await seed.opened;
      const response = await seed.request(api.metadata.key, api.metadata.version, (writer) =>
        writeMetadata(writer, this.#topic),
      );
      const metadata = readMetadata(response);
      if (metadata.errorCode !== 0) {
        throw new LogUnavailable(`topic ${this.#topic}: ${errorName(metadata.errorCode)}`);
      }
      return metadata;
    } finally {
      seed.close(new LogUnavailable("no longer needed"));
    }
  }

  async #perLeader<P>(
    { leaders, brokers }: Metadata,
    parts: readonly P[],
    partitionOf: (part: P) => number,
    send: (connection: BrokerConnection, own: readonly P[]) => Promise<Buffer>,
    read: (response: Buffer) => PartitionAnswer[],
  ): Promise<PartitionAnswer[]> {
    const byLeader = new Map<number, P[]>();
    for (const part of parts) {
      const leader = leaders.get(partitionOf(part)) ?? -1;
      if (!brokers.has(leader))
        throw new LogUnavailable(`partition ${partitionOf(part)} of ${this.#topic} has no leader`);
      const own = byLeader.get(leader);
      if (own === undefined) byLeader.set(leader, [part]);
      else own.push(part);
    }
    const responses: Promise<Buffer>[] = [];
    for (const [leader, own] of byLeader) responses.push(send(this.#connectionTo(leader, brokers), own));
    if (responses.length === 1) return read(await (responses[0] as Promise<Buffer>));
    return (await Promise.all(responses)).flatMap(read);
  }

  #connectionTo(leader: number, brokers: Metadata["brokers"]): BrokerConnection {
    if (this.#ended !== null) throw this.#ended;
    let connection = this.#connections.get(leader);
    if (connection === undefined) {
      const { host, port } = brokers.get(leader) as { host: string; port: number };
      connection = new BrokerConnection(host, port, this.#config.clientId, (error) => this.end(error));
      this.#connections.set(leader, connection);
    }
    return connection;
  }

  #inOrder(parts: readonly { partition: number }[], answers: PartitionAnswer[]): number[] {
    return parts.map(({ partition }) => {
      const answer = answers.find((candidate) => candidate.partition === partition);
      if (answer === undefined) throw new LogUnavailable(`no answer for partition ${partition} of ${this.#topic}`);
      if (answer.errorCode !== 0) {
        throw new LogUnavailable(`partition ${partition} of ${this.#topic}: ${errorName(answer.errorCode)}`);
      }
      return answer.offset;
    });
  }
}

function writePart(writer: Writer, { partition, records }: PartitionRecords): void {
  writer.reserve(8);
  writer.int32(partition);
  const sizeAt = writer.position;
  writer.int32(0);
  writeRecordBatch(writer, records, Date.now());
  writer.patchInt32(sizeAt, writer.position - sizeAt - 4);
}

function asUnavailable(error: unknown): LogUnavailable {
  if (error instanceof LogUnavailable) return error;
  return new LogUnavailable(`the log's answer can't be used: ${error instanceof Error ? error.message : error}`, {
    cause: error,
  });
}
