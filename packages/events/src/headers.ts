import type { EntryKind, Marker } from "@coupon/domain";
import type { FixedHeaders } from "./kafka/log-session.ts";

export const entryKinds = [
  "issue",
  "lock",
  "redeem",
  "release",
  "reverse",
  "deactivate",
  "rules",
  "debit",
  "credit",
  "correct",
] as const satisfies readonly EntryKind[];

export const markerType = "coupon.marker.v1";

/** The CloudEvents type of an entry. */
export function entryType(kind: EntryKind): string {
  return `coupon.entry.${kind}.v1`;
}

/** CloudEvents attributes of one type and source, encoded once. `ce_id` and `epoch` are each message's own. */
export function cloudEventHeaders(type: string, source: string): FixedHeaders {
  return {
    ce_specversion: "1.0",
    ce_source: source,
    ce_type: type,
    "content-type": "application/json",
  };
}

/**
 * A message of the entries topic, read from its key and headers; `text` is its value as it is. Of a marker,
 * and of a message that is neither a marker nor an entry (its `epoch` is null), `batch`, `shard` and
 * `number` are -1 and `kind` says nothing.
 */
export interface LogMessage {
  offset: number;
  /** Epoch under which the entry was written; null on everything but an entry. */
  epoch: number | null;
  marker: Marker | null;
  batch: number;
  shard: number;
  number: number;
  kind: EntryKind;
  text: string;
}

export interface RawMessage {
  offset: string;
  value: Buffer | null;
  headers?: Record<string, Buffer | string | (Buffer | string)[] | undefined> | undefined;
}

const kindsByType = new Map<string, EntryKind>(entryKinds.map((kind) => [entryType(kind), kind]));

/** Never throws: what can't be read has the epoch null, and so never counts. */
export function readLogMessage({ offset, value, headers }: RawMessage): LogMessage {
  const text = value === null ? "" : value.toString("utf8");
  const message: LogMessage = {
    offset: Number(offset),
    epoch: null,
    marker: null,
    batch: -1,
    shard: -1,
    number: -1,
    kind: "issue",
    text,
  };
  const type = headerText(headers?.ce_type);
  if (type === markerType) {
    message.marker = readMarker(text);
    return message;
  }
  const kind = kindsByType.get(type);
  const id = readEntryId(headerText(headers?.ce_id));
  const epoch = wholeNumber(headerText(headers?.epoch));
  if (kind === undefined || id === null || epoch === -1) return message;
  message.epoch = epoch;
  message.kind = kind;
  message.batch = id[0];
  message.shard = id[1];
  message.number = id[2];
  return message;
}

function readMarker(text: string): Marker | null {
  try {
    const marker = JSON.parse(text) as Partial<Marker> | null;
    const valid = marker?.v === 1 && marker.kind === "marker" && typeof marker.owner === "string";
    return valid && typeof marker.at === "number" ? (marker as Marker) : null;
  } catch {
    return null;
  }
}

function readEntryId(id: string): [number, number, number] | null {
  const first = id.indexOf(".");
  const second = id.indexOf(".", first + 1);
  if (second < 0) return null;
  const batch = wholeNumber(id.slice(0, first));
  const shard = wholeNumber(id.slice(first + 1, second));
  const number = wholeNumber(id.slice(second + 1));
  return batch < 0 || shard < 0 || number < 0 ? null : [batch, shard, number];
}

/** -1 where the text is not a whole number in decimal digits. */
function wholeNumber(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : -1;
}

function headerText(header: Buffer | string | (Buffer | string)[] | undefined): string {
  if (Buffer.isBuffer(header)) return header.toString("latin1");
  return typeof header === "string" ? header : "";
}
