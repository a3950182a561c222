import type { EntryKind, Marker } from "@coupon/domain";
import type { LogConfig } from "./config.ts";
import { AppendTooLarge } from "./errors.ts";
import { cloudEventHeaders, entryKinds, entryType, markerType } from "./headers.ts";
import { LogLink } from "./kafka/log-link.ts";
import type { FixedHeaders, LogRecord, PartitionRecords } from "./kafka/log-session.ts";
import type { RulesApplied } from "./messages.ts";
import { topicSettings } from "./topic-settings.ts";

/** Entries for one partition, in the order in which they are to stand in the log. */
export interface PartitionAppend {
  partition: number;
  /** Offset of the owner's marker in this partition. */
  epoch: number;
  entries: { batch: number; shard: number; number: number; kind: EntryKind; text: string }[];
}

/**
 * Writes to the log for one process. Nothing is retried and nothing is idempotent here: the offsets that
 * come back say what is known. After any failure the outcome is unknown, every connection of the session
 * has been closed, and the next call opens fresh ones, so that no late answer is taken for another's. (A
 * broker may still write what it had received; it then stands under its old epoch, or moves the offset of
 * the next append, and the owner sees that.)
 */
export interface EntryAppender {
  /** @throws LogUnavailable where no broker answers within 10 s */
  connect(): Promise<void>;
  /**
   * Appends with one produce request (one per leading broker), acks=all, and resolves with the offset of the
   * first entry of each partition, in the order given.
   *
   * @throws LogUnavailable after `timeoutMs` at the latest: outcome unknown
   * @throws AppendTooLarge where a partition's entries exceed what one record batch may hold: nothing was sent
   */
  append(batch: PartitionAppend[], timeoutMs: number): Promise<{ partition: number; baseOffset: number }[]>;
  /**
   * Appends an owner's marker and resolves with its offset, which is the owner's epoch.
   * @throws LogUnavailable after `timeoutMs` at the latest: outcome unknown
   */
  appendMarker(partition: number, marker: Marker, timeoutMs: number): Promise<number>;
  /**
   * Announces rules that are in force, over a connection of its own.
   * @throws LogUnavailable after 5 s at the latest: outcome unknown
   */
  publish(topic: "rules-applied", messages: RulesApplied[]): Promise<void>;
  /** Closes the connections at once. What waits is rejected with LogUnavailable. */
  close(): Promise<void>;
}

/** What the records of one append to one partition may add up to, in bytes of text (UTF-8). */
export const partitionAppendBytesMax = topicSettings.entries.maxMessageBytes - 512 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;
const PUBLISH_TIMEOUT_MS = 5_000;
/** Key, headers and framing of one entry, at their longest. */
const ENTRY_OVERHEAD_BYTES = 512;

/** @param source what wrote the entries, such as `/issuing/<processId>`; goes into `ce_source` */
export function createEntryAppender({ config, source }: { config: LogConfig; source: string }): EntryAppender {
  const entries = new LogLink(config, "entries");
  const rulesApplied = new LogLink(config, "rules-applied");
  const headersOf = Object.fromEntries(
    entryKinds.map((kind) => [kind, cloudEventHeaders(entryType(kind), source)]),
  ) as Record<EntryKind, FixedHeaders>;
  const markerHeaders = cloudEventHeaders(markerType, source);
  const rulesAppliedHeaders = cloudEventHeaders("coupon.rules-applied.v1", source);

  return {
    connect: () => entries.session().ready(CONNECT_TIMEOUT_MS),

    async append(batch, timeoutMs) {
      const parts: PartitionRecords[] = [];
      for (const append of batch) parts.push(toRecords(append, headersOf));
      const offsets = await entries.session().produce(parts, timeoutMs);
      return parts.map(({ partition }, i) => ({ partition, baseOffset: offsets[i] as number }));
    },

    async appendMarker(partition, marker, timeoutMs) {
      const record: LogRecord = {
        key: "marker",
        value: JSON.stringify(marker),
        id: `${marker.owner}.${marker.at}`,
        epoch: null,
        headers: markerHeaders,
      };
      const [offset] = await entries.session().produce([{ partition, records: [record] }], timeoutMs);
      return offset as number;
    },

    async publish(_topic, messages) {
      if (messages.length === 0) return;
      const records = messages.map((message) => ({
        key: message.batchId,
        value: JSON.stringify(message),
        id: `${message.batchNumber}.${message.shard}.${message.version}`,
        epoch: null,
        headers: rulesAppliedHeaders,
      }));
      await rulesApplied.session().produce([{ partition: 0, records }], PUBLISH_TIMEOUT_MS);
    },

    async close() {
      entries.close();
      rulesApplied.close();
    },
  };
}

function toRecords(
  { partition, epoch, entries }: PartitionAppend,
  headersOf: Record<EntryKind, FixedHeaders>,
): PartitionRecords {
  const epochText = String(epoch);
  const records: LogRecord[] = [];
  let bytesAtMost = 0;
  for (const { batch, shard, number, kind, text } of entries) {
    const key = `${batch}.${shard}`;
    records.push({ key, value: text, id: `${key}.${number}`, epoch: epochText, headers: headersOf[kind] });
    bytesAtMost += text.length * 3 + ENTRY_OVERHEAD_BYTES;
  }
  if (bytesAtMost > partitionAppendBytesMax) refuseTooLarge(partition, records);
  return { partition, records };
}

function refuseTooLarge(partition: number, records: LogRecord[]): void {
  const bytes = records.reduce((sum, { value }) => sum + Buffer.byteLength(value ?? "") + ENTRY_OVERHEAD_BYTES, 0);
  if (bytes <= partitionAppendBytesMax) return;
  throw new AppendTooLarge(
    `${records.length} entries for partition ${partition} are ${bytes} bytes; one append may carry ${partitionAppendBytesMax}`,
  );
}
