import { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

/**
 * The three requests of Kafka's protocol that are made here, in versions that brokers from 2.1 to 4.x serve
 * (4.0 dropped Produce below 3 and ListOffsets below 1). https://kafka.apache.org/protocol
 */
export const api = {
  produce: { key: 0, version: 7 },
  listOffsets: { key: 2, version: 2 },
  metadata: { key: 3, version: 4 },
} as const;

export interface Metadata {
  brokers: Map<number, { host: string; port: number }>;
  /** Broker that leads each partition; -1 where there is none now. */
  leaders: Map<number, number>;
  errorCode: number;
}

export function writeMetadata(writer: Writer, topic: string): void {
  writer.reserve(topic.length + 8);
  writer.int32(1);
  writer.string(topic);
  writer.int8(0);
}

export function readMetadata(response: Buffer): Metadata {
  const reader = new Reader(response);
  reader.int32();
  const brokers = reader.array(() => {
    const id = reader.int32();
    const address = { host: reader.string(), port: reader.int32() };
    reader.nullableString();
    return [id, address] as const;
  });
  reader.nullableString();
  reader.int32();
  let errorCode = 0;
  const leaders = new Map<number, number>();
  reader.array(() => {
    errorCode = reader.int16();
    reader.string();
    reader.skip(1);
    reader.array(() => {
      reader.int16();
      leaders.set(reader.int32(), reader.int32());
      reader.array(() => reader.int32());
      reader.array(() => reader.int32());
    });
  });
  return { brokers: new Map(brokers), leaders, errorCode };
}

/** The part of a produce request before the records: acks of all in-sync replicas. */
export function writeProduceHeader(writer: Writer, topic: string, timeoutMs: number, partitions: number): void {
  writer.reserve(topic.length + 24);
  writer.int16(-1);
  writer.int16(-1);
  writer.int32(timeoutMs);
  writer.int32(1);
  writer.string(topic);
  writer.int32(partitions);
}

export interface PartitionAnswer {
  partition: number;
  errorCode: number;
  offset: number;
}

export function readProduce(response: Buffer): PartitionAnswer[] {
  const reader = new Reader(response);
  return reader
    .array(() => {
      reader.string();
      return reader.array(() => {
        const answer = { partition: reader.int32(), errorCode: reader.int16(), offset: reader.int64() };
        reader.skip(16);
        return answer;
      });
    })
    .flat();
}

export const EARLIEST = -2;
export const LATEST = -1;

export function writeListOffsets(
  writer: Writer,
  topic: string,
  partitions: readonly number[],
  timestamp: number,
): void {
  writer.reserve(topic.length + 24 + partitions.length * 12);
  writer.int32(-1);
  writer.int8(0);
  writer.int32(1);
  writer.string(topic);
  writer.int32(partitions.length);
  for (const partition of partitions) {
    writer.int32(partition);
    writer.int64(timestamp);
  }
}

export function readListOffsets(response: Buffer): PartitionAnswer[] {
  const reader = new Reader(response, 4);
  return reader
    .array(() => {
      reader.string();
      return reader.array(() => {
        const partition = reader.int32();
        const errorCode = reader.int16();
        reader.skip(8);
        return { partition, errorCode, offset: reader.int64() };
      });
    })
    .flat();
}

const errorNames: Record<number, string> = {
  1: "OFFSET_OUT_OF_RANGE",
  2: "CORRUPT_MESSAGE",
  3: "UNKNOWN_TOPIC_OR_PARTITION",
  5: "LEADER_NOT_AVAILABLE",
  6: "NOT_LEADER_OR_FOLLOWER",
  7: "REQUEST_TIMED_OUT",
  10: "MESSAGE_TOO_LARGE",
  18: "RECORD_LIST_TOO_LARGE",
  19: "NOT_ENOUGH_REPLICAS",
  20: "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  29: "TOPIC_AUTHORIZATION_FAILED",
  56: "KAFKA_STORAGE_ERROR",
  78: "OFFSET_NOT_AVAILABLE",
  87: "INVALID_RECORD",
};

export function errorName(code: number): string {
  return errorNames[code] ?? `Kafka error ${code}`;
}
