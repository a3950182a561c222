import { crc32c } from "./crc32c.ts";
import { varintSize, type Writer } from "./writer.ts";

/** Headers that are the same on many records, encoded once. */
export interface FixedHeaders {
  bytes: Buffer;
  count: number;
}

/** One message. `id` goes into the header `ce_id`, `epoch`, where there is one, into the header `epoch`. */
export interface WireRecord {
  key: string;
  /** null deletes the key from a compacted topic. */
  value: string | null;
  id: string;
  epoch: string | null;
  headers: FixedHeaders;
}

const BATCH_HEADER_BYTES = 61;
const CRC_AT = 17;
const CHECKED_FROM = 21;
/** Lengths, deltas and counts of one record, at their longest. */
const RECORD_OVERHEAD_BYTES = 48;

const epochName = encodeName("epoch");
const idName = encodeName("ce_id");

/**
 * Writes one uncompressed record batch (magic 2, neither idempotent nor transactional).
 * Format: https://kafka.apache.org/documentation/#recordbatch
 */
export function writeRecordBatch(writer: Writer, records: readonly WireRecord[], timestampMs: number): void {
  writer.reserve(BATCH_HEADER_BYTES);
  const start = writer.position;
  writer.int64(0);
  writer.int32(0);
  writer.int32(-1);
  writer.int8(2);
  writer.int32(0);
  writer.int16(0);
  writer.int32(records.length - 1);
  writer.int64(timestampMs);
  writer.int64(timestampMs);
  writer.int64(-1);
  writer.int16(-1);
  writer.int32(-1);
  writer.int32(records.length);
  for (let i = 0; i < records.length; i += 1) writeRecord(writer, records[i] as WireRecord, i);
  writer.patchInt32(start + 8, writer.position - start - 12);
  writer.patchUint32(start + CRC_AT, crc32c(writer.buffer, start + CHECKED_FROM, writer.position));
}

function writeRecord(writer: Writer, { key, value, id, epoch, headers }: WireRecord, offsetDelta: number): void {
  const keyBytes = Buffer.byteLength(key);
  const valueBytes = value === null ? -1 : Buffer.byteLength(value);
  const idBytes = Buffer.byteLength(id);
  const headerCount = headers.count + (epoch === null ? 1 : 2);
  const size =
    2 +
    varintSize(offsetDelta) +
    varintSize(keyBytes) +
    keyBytes +
    varintSize(valueBytes) +
    Math.max(valueBytes, 0) +
    varintSize(headerCount) +
    headers.bytes.length +
    (epoch === null ? 0 : epochName.length + varintSize(epoch.length) + epoch.length) +
    idName.length +
    varintSize(idBytes) +
    idBytes;
  writer.reserve(size + RECORD_OVERHEAD_BYTES);
  writer.varint(size);
  writer.int8(0);
  writer.int8(0);
  writer.varint(offsetDelta);
  writer.varint(keyBytes);
  writer.utf8(key, keyBytes);
  writer.varint(valueBytes);
  if (value !== null) writer.utf8(value, valueBytes);
  writer.varint(headerCount);
  writer.bytes(headers.bytes);
  if (epoch !== null) {
    writer.bytes(epochName);
    writer.varint(epoch.length);
    writer.ascii(epoch);
  }
  writer.bytes(idName);
  writer.varint(idBytes);
  writer.utf8(id, idBytes);
}

/** Encodes headers once. Names and values are ASCII of at most 63 and 8,191 characters. */
export function fixedHeaders(headers: Record<string, string>): FixedHeaders {
  const parts = Object.entries(headers).flatMap(([name, value]) => [encodeName(name), encodeName(value)]);
  return { bytes: Buffer.concat(parts), count: Object.keys(headers).length };
}

function encodeName(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const doubled = length * 2;
  const prefix = doubled < 0x80 ? [doubled] : [(doubled & 0x7f) | 0x80, doubled >>> 7];
  if (doubled >= 0x4000) throw new RangeError(`a header of ${length} bytes is too long`);
  return Buffer.concat([Buffer.from(prefix), Buffer.from(text)]);
}
