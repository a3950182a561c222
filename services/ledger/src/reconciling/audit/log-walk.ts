import { hash } from "node:crypto";
import type { ShardCount } from "@coupon/database";
import {
  countMessage,
  type Entry,
  newPartitionCount,
  type PartitionCount,
  shardKey,
  toCountable,
} from "@coupon/domain";
import type { LogMessage, LogReader } from "@coupon/events";
import { countAfter, EMPTY_COUNT, effectOf } from "../shard-count.ts";

/** The log does not say what it should: an entry skips numbers, or does not follow from the one before it. */
export class LogBroken extends Error {
  override name = "LogBroken";
}

/** What a walk knows of a shard that it follows. */
export interface WalkedShard {
  /** Number and hash of the last entry walked over. */
  number: number;
  hash: string;
  /** Everything counted, where the log goes back to the shard's first entry; else null. */
  count: ShardCount | null;
  /** The last transfer to each target, and from each source. */
  debits: Map<number, { transfer: number; amount: number }>;
  credits: Map<number, number>;
}

/**
 * Walks over a partition's log from its beginning and shows each entry that counts of the shards that are followed. It
 * stops where it is told and goes on from there. A log that begins later than at offset 0 is walked from its first
 * marker on.
 */
export class LogWalk {
  readonly shards = new Map<string, WalkedShard>();
  readonly #reader: LogReader;
  readonly #partition: number;
  readonly #follows: (key: string) => boolean;
  readonly #onEntry: (key: string, entry: Entry) => void;
  #position = -1;
  #whole = true;
  #count: PartitionCount = newPartitionCount();
  #messages: LogMessage[] = [];
  #next = 0;
  #range: AsyncIterator<LogMessage[]> | null = null;

  constructor(
    reader: LogReader,
    partition: number,
    follows: (key: string) => boolean,
    onEntry: (key: string, entry: Entry) => void,
  ) {
    this.#reader = reader;
    this.#partition = partition;
    this.#follows = follows;
    this.#onEntry = onEntry;
  }

  /** Offset of the next message to walk over. */
  get position(): number {
    return Math.max(0, this.#position);
  }

  /** The last entry walked over of every shard of the partition, followed or not. */
  get numbers(): ReadonlyMap<string, number> {
    return this.#count.shards;
  }

  /** Walks up to an offset, exclusively; the log must have it. */
  async to(offset: number): Promise<void> {
    await this.#begin();
    while (this.#position < offset) {
      if (!(await this.#step())) throw new LogBroken(`partition ${this.#partition} ends before offset ${offset}`);
    }
  }

  /**
   * Walks until an entry of a shard has been walked over.
   *
   * @returns false where it is not in the log within `withinMs`
   */
  async untilEntry(key: string, number: number, withinMs: number): Promise<boolean> {
    await this.#begin();
    const until = performance.now() + withinMs;
    while ((this.shards.get(key)?.number ?? 0) < number) {
      if (await this.#step()) continue;
      if (performance.now() > until) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return true;
  }

  /** Lets the reader go. */
  async close(): Promise<void> {
    await this.#range?.return?.();
    this.#range = null;
  }

  async #begin(): Promise<void> {
    if (this.#position >= 0) return;
    this.#position = await this.#reader.earliest(this.#partition);
    this.#whole = this.#position === 0;
  }

  /** One message; false where there is none yet. */
  async #step(): Promise<boolean> {
    while (this.#next >= this.#messages.length) {
      const more = await this.#more();
      if (more === null) return false;
      this.#messages = more;
      this.#next = 0;
    }
    const message = this.#messages[this.#next] as LogMessage;
    this.#next += 1;
    this.#position = message.offset + 1;
    this.#look(message);
    return true;
  }

  async #more(): Promise<LogMessage[] | null> {
    if (this.#range === null) {
      const end = await this.#reader.end(this.#partition);
      if (end <= this.#position) return null;
      this.#range = this.#reader.readRange(this.#partition, this.#position, end)[Symbol.asyncIterator]();
    }
    const { done, value } = await this.#range.next();
    if (done !== true) return value;
    this.#range = null;
    return [];
  }

  #look(message: LogMessage): void {
    const key = shardKey(message.batch, message.shard);
    const isKnown = message.marker !== null || this.#whole || this.#count.shards.has(key);
    // Of a log that begins later nobody knows the numbers before.
    if (!isKnown && message.epoch === this.#count.epoch) this.#count.shards.set(key, message.number - 1);
    const counting = countMessage(this.#count, toCountable(message));
    if (counting === "gap") throw new LogBroken(`entry ${message.number} of shard ${key} skips numbers`);
    if (counting !== "counts" || !this.#follows(key)) return;
    const entry = JSON.parse(message.text) as Entry;
    this.#walkOver(key, entry, hash("sha1", message.text, "hex"));
    this.#onEntry(key, entry);
  }

  #walkOver(key: string, entry: Entry, digest: string): void {
    let shard = this.shards.get(key);
    if (shard === undefined) {
      const count = entry.number === 1 ? EMPTY_COUNT : null;
      shard = { number: 0, hash: entry.prev, count, debits: new Map(), credits: new Map() };
      this.shards.set(key, shard);
    }
    if (entry.prev !== shard.hash) {
      throw new LogBroken(`entry ${entry.number} of shard ${key} does not follow from the one before it`);
    }
    shard.number = entry.number;
    shard.hash = digest;
    if (shard.count !== null) shard.count = countAfter(shard.count, effectOf(entry, digest));
    if (entry.kind === "debit") shard.debits.set(entry.target, { transfer: entry.transfer, amount: entry.amount });
    if (entry.kind === "credit") shard.credits.set(entry.source, entry.transfer);
  }
}

const POLL_MS = 20;
