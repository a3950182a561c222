import type { Marker } from "./entry.ts";

/**
 * Which messages of a partition count. Whoever reads the log (owners at opening, the ledger, checkers)
 * uses this one rule, so that all agree on one history whatever zombies and re-sends have written:
 * an entry counts if and only if its epoch is the offset of the last marker before it and its number
 * is its shard's last counted + 1.
 */
export interface PartitionCount {
  /** Offset of the last marker; -1 before the first. */
  epoch: number;
  /** Number of the last counted entry of each shard, by `shardKey`; a shard without one stands at 0. */
  shards: Map<string, number>;
}

/** What counting needs of a message. Of a marker only the offset is looked at. */
export interface CountableMessage {
  offset: number;
  epoch: number;
  marker: boolean;
  batch: number;
  shard: number;
  number: number;
}

/** A message of the entries topic as it is read: the epoch is null on everything but an entry. */
export interface ReadMessage {
  offset: number;
  epoch: number | null;
  marker: Marker | null;
  batch: number;
  shard: number;
  number: number;
}

/** Under which no marker stands: what is neither a marker nor an entry is `stale` at every place of the log. */
const NO_EPOCH = -2;

/** What counting needs of a message that was read. */
export function toCountable({ offset, epoch, marker, batch, shard, number }: ReadMessage): CountableMessage {
  return { offset, epoch: epoch ?? NO_EPOCH, marker: marker !== null, batch, shard, number };
}

/**
 * - `marker`: a new epoch begins.
 * - `counts`: the next entry of its shard.
 * - `duplicate`: an entry under the right epoch that was counted before (a re-send).
 * - `stale`: written under another epoch (a zombie's).
 * - `gap`: an entry under the right epoch that skips numbers. Never written by a correct owner: halt.
 */
export type Counting = "marker" | "counts" | "duplicate" | "stale" | "gap";

/** Key of a shard in `PartitionCount.shards`, and of its messages in the log. */
export function shardKey(batch: number, shard: number): string {
  return `${batch}.${shard}`;
}

/** The count before the first message of a partition, or at a position that was stored. */
export function newPartitionCount(epoch = -1, shards: Iterable<readonly [string, number]> = []): PartitionCount {
  return { epoch, shards: new Map(shards) };
}

/**
 * Judges the next message of the partition and moves `state` along: a marker sets the epoch, an entry
 * that counts its shard's number, everything else changes nothing. Messages come in order of offset;
 * to read a stretch of the log again is harmless.
 */
export function countMessage(state: PartitionCount, message: CountableMessage): Counting {
  if (message.marker) {
    state.epoch = message.offset;
    return "marker";
  }
  if (state.epoch < 0 || message.epoch !== state.epoch) return "stale";
  const key = shardKey(message.batch, message.shard);
  const next = (state.shards.get(key) ?? 0) + 1;
  if (message.number < next) return "duplicate";
  if (message.number > next) return "gap";
  state.shards.set(key, next);
  return "counts";
}
