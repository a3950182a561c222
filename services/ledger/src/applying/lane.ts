import { hash } from "node:crypto";
import type { PartitionStanding } from "@coupon/database";
import {
  countMessage,
  type Entry,
  newPartitionCount,
  type PartitionCount,
  shardKey,
  toCountable,
} from "@coupon/domain";
import type { LogMessage } from "@coupon/events";
import type { LedgerRows } from "./ledger-rows.ts";

/**
 * Why a partition stands still until somebody has looked at it:
 * - `gap`: an entry skips numbers, or offsets are missing. - `diverged`: an entry does not follow from the
 *   one before it. - `unreadable`: an entry that counts is not of its form. - `refused`: PostgreSQL does not
 *   take its rows. - `truncated`, `shrunk`: the log begins after the position, or ends before it. - `terms`: an
 *   entry's batch is not known, long after the entry came.
 */
export type HaltReason = "gap" | "diverged" | "unreadable" | "refused" | "truncated" | "shrunk" | "terms";

export interface Halt {
  reason: HaltReason;
  detail: string;
}

/** A stretch of a partition's messages that one transaction applies. */
export interface Stretch {
  lane: Lane;
  generation: number;
  messages: LogMessage[];
  from: number;
  to: number;
  /** Time of the last entry in it; 0 where it has none. */
  atMs: number;
}

/** An entry that counts but can't be applied. */
export class EntryUnfit extends Error {
  override name = "EntryUnfit";
  readonly reason: HaltReason;

  constructor(reason: HaltReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/**
 * One partition on its way into PostgreSQL. `take` runs ahead of what is committed, so that the next
 * transaction is made ready while the last one is being written; when one fails, `reset` goes back to what
 * PostgreSQL has, with every message since at hand.
 */
export class Lane {
  readonly partition: number;
  /** Grows whenever the lane goes back, so that the outcome of an older stretch is told from one of now. */
  generation = 0;
  ready = false;
  /** Grows whenever the log asks anew where to begin. */
  assignment = 0;
  halt: Halt | null = null;
  /** Up to this offset each message gets a transaction of its own, for one among them can't be applied. */
  singleUntil = 0;
  /** Offset of the next message to apply, as committed. */
  applied = 0;
  /** Time of the last entry applied; 0 before the first. */
  appliedAtMs = 0;
  /** Offset after the last message handed over. */
  received = 0;
  /** Offset that the log's next message will get, as last heard. */
  end = 0;
  /** Batch whose terms the next entry has to wait for; null where none has. */
  awaiting: number | null = null;
  /** Resolves when the stretches under way have been committed or have failed. */
  last: Promise<void> = Promise.resolve();

  #position = 0;
  #count: PartitionCount = newPartitionCount();
  #hashes = new Map<string, string>();
  #queue: LogMessage[] = [];
  #queuedBytes = 0;
  #underWay: Stretch[] = [];

  readonly #knows: (batch: number) => boolean;
  readonly #onEntry: (partition: number, entry: Entry, hash: string) => void;

  /**
   * @param knows whether the terms of a batch are known: an entry of another one is not applied yet
   * @param onEntry is told every entry that counts, when it is taken; again, where the lane has gone back
   */
  constructor(
    partition: number,
    knows: (batch: number) => boolean,
    onEntry: (partition: number, entry: Entry, hash: string) => void = () => {},
  ) {
    this.partition = partition;
    this.#knows = knows;
    this.#onEntry = onEntry;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get busy(): boolean {
    return this.#underWay.length > 0;
  }

  /** Whether there is something to take. */
  get takeable(): boolean {
    if (this.awaiting !== null && !this.#knows(this.awaiting)) return false;
    return this.ready && this.halt === null && this.#queue.length > 0;
  }

  /** Whether only one message may be taken for a transaction of its own. */
  get single(): boolean {
    return this.#position < this.singleUntil;
  }

  enqueue(messages: LogMessage[]): void {
    if (this.halt !== null) return;
    this.received = (messages.at(-1)?.offset ?? this.received - 1) + 1;
    for (const message of messages) this.#queuedBytes += message.text.length;
    this.#queue = this.#queue.length === 0 ? messages : this.#queue.concat(messages);
  }

  /** Stands where PostgreSQL stands, with the messages that come after. */
  reset(standing: PartitionStanding, messages: LogMessage[]): void {
    this.generation += 1;
    this.#position = standing.position;
    this.applied = standing.position;
    this.received = Math.max(standing.position, messages.length === 0 ? 0 : this.received);
    this.appliedAtMs = standing.shards.reduce((latest, shard) => Math.max(latest, shard.atMs), 0);
    const numbers = standing.shards.map((each) => [shardKey(each.batch, each.shard), each.number] as const);
    this.#count = newPartitionCount(standing.epoch, numbers);
    this.#hashes = new Map(standing.shards.map((each) => [shardKey(each.batch, each.shard), each.hash]));
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#underWay = [];
    this.halt = null;
    this.awaiting = null;
    this.enqueue(messages);
    this.ready = true;
  }

  /** Every message that is not known to be committed, in order. */
  unapplied(): LogMessage[] {
    return [...this.#underWay.flatMap((stretch) => stretch.messages), ...this.#queue];
  }

  /**
   * Moves messages from the queue into the rows until these are `rowsMax`, `bytesMax` of text are read or the
   * queue is empty. Null where nothing could be taken. A gap halts the lane behind what came before it; an entry
   * whose batch's terms are not known lets it wait there.
   *
   * @throws EntryUnfit for an entry that can't be applied: the rows are spoilt, and `singleUntil` is set
   */
  take(rows: LedgerRows, rowsMax: number, bytesMax: number): Stretch | null {
    const from = this.#position;
    const single = this.single;
    this.awaiting = null;
    let atMs = 0;
    let bytes = 0;
    let taken = 0;
    const messages: LogMessage[] = [];
    while (taken < this.#queue.length && rows.rows < rowsMax && bytes < bytesMax) {
      const message = this.#queue[taken] as LogMessage;
      const next = this.#applyNext(message, rows);
      if (next === "halted" || next === "waiting") break;
      taken += 1;
      bytes += message.text.length;
      if (next === "old") continue;
      messages.push(message);
      atMs = next.atMs === 0 ? atMs : next.atMs;
      if (single) break;
    }
    this.#queuedBytes -= bytes;
    this.#queue = this.#queue.slice(taken);
    if (messages.length === 0) return null;
    rows.advance({ partition: this.partition, from, to: this.#position, epoch: this.#count.epoch });
    const stretch = { lane: this, generation: this.generation, messages, from, to: this.#position, atMs };
    this.#underWay.push(stretch);
    return stretch;
  }

  /** The oldest stretch under way has been committed. */
  committed(stretch: Stretch): void {
    this.#underWay = this.#underWay.filter((each) => each !== stretch);
    this.applied = stretch.to;
    if (stretch.atMs !== 0) this.appliedAtMs = stretch.atMs;
  }

  /** Applies the message at the position; "old" for one that was applied before. */
  #applyNext(message: LogMessage, rows: LedgerRows): "halted" | "waiting" | "old" | { atMs: number } {
    if (message.offset < this.#position) return "old";
    if (message.offset > this.#position) {
      return this.#stop("gap", `offset ${message.offset} follows where ${this.#position} is expected`);
    }
    // Judged before it is counted, for counting can't be taken back.
    if (message.marker === null && message.epoch === this.#count.epoch && !this.#knows(message.batch)) {
      this.awaiting = message.batch;
      return "waiting";
    }
    const counting = countMessage(this.#count, toCountable(message));
    if (counting === "gap") {
      return this.#stop(
        "gap",
        `entry ${message.number} of shard ${shardKey(message.batch, message.shard)} at offset ${message.offset} skips numbers`,
      );
    }
    const atMs = counting === "counts" ? this.#applyEntry(message, rows) : 0;
    this.#position = message.offset + 1;
    return { atMs };
  }

  #stop(reason: HaltReason, detail: string): "halted" {
    this.halt = { reason, detail };
    return "halted";
  }

  #applyEntry(message: LogMessage, rows: LedgerRows): number {
    const key = shardKey(message.batch, message.shard);
    try {
      const entry = parseEntry(message);
      if (entry.prev !== (this.#hashes.get(key) ?? "")) {
        throw new EntryUnfit("diverged", `entry ${message.number} of shard ${key} does not follow from the one before`);
      }
      const digest = hash("sha1", message.text, "hex");
      rows.add(this.partition, entry, digest);
      this.#hashes.set(key, digest);
      this.#onEntry(this.partition, entry, digest);
      return entry.at;
    } catch (error) {
      this.singleUntil = message.offset + 1;
      if (error instanceof EntryUnfit) throw error;
      const detail = error instanceof Error ? error.message : String(error);
      throw new EntryUnfit("unreadable", `entry ${message.number} of shard ${key}: ${detail}`);
    }
  }
}

function parseEntry(message: LogMessage): Entry {
  const entry = JSON.parse(message.text) as Entry;
  const same = entry.batch === message.batch && entry.shard === message.shard && entry.number === message.number;
  if (!same || entry.v !== 1 || entry.kind !== message.kind || !Number.isSafeInteger(entry.at)) {
    throw new EntryUnfit("unreadable", `the text at offset ${message.offset} is not what its headers say`);
  }
  return entry;
}
