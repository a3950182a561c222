import type { EntryKind } from "@coupon/domain";
import type { ShardAddress } from "@coupon/redis";
import type { Shard } from "./shard.ts";

/** An entry that is in a shard's outbox and on its way to the log. */
export interface OutgoingEntry {
  shard: Shard;
  number: number;
  kind: EntryKind;
  text: string;
}

export type PartitionPhase = "opening" | "serving" | "draining" | "closed";

/**
 * A partition of the entries topic that this process owns: the epoch under which it writes, the offset
 * that the next acknowledged message must follow, and its shards.
 */
export class Partition {
  readonly id: number;
  phase: PartitionPhase = "opening";
  /** Grows with every opening; what began before is void. */
  generation = 0;
  epoch = -1;
  /** Offset of the last message of ours; the next one must get the one after. */
  lastOffset = -1;
  /** There is a sign of another owner since it was opened. */
  overtaken = false;
  readonly shards = new Map<string, Shard>();
  #outgoing: OutgoingEntry[] = [];

  constructor(id: number) {
    this.id = id;
  }

  /** Puts a shard in, in place of what was there. */
  add(shard: Shard): Shard {
    this.shards.set(shard.key, shard);
    return shard;
  }

  shard(address: ShardAddress): Shard | undefined {
    return this.shards.get(`${address.batch}.${address.shard}`);
  }

  get hasOutgoing(): boolean {
    return this.#outgoing.length > 0;
  }

  send(entry: OutgoingEntry): void {
    entry.shard.unsent += 1;
    this.#outgoing.push(entry);
  }

  /** Takes what is to be sent next, oldest first: at least one entry, and no more than `bytesMax` of them. */
  takeOutgoing(bytesMax: number): OutgoingEntry[] {
    let bytes = 0;
    let count = 0;
    for (const { text } of this.#outgoing) {
      bytes += text.length + 200;
      if (count > 0 && bytes > bytesMax) break;
      count += 1;
    }
    const taken = this.#outgoing.splice(0, count);
    for (const { shard } of taken) shard.unsent -= 1;
    return taken;
  }

  /** Forgets what was to be sent: it stands in the shards' outboxes, and opening sends it again. */
  dropOutgoing(): void {
    this.#outgoing = [];
    for (const shard of this.shards.values()) shard.unsent = 0;
  }

  get idle(): boolean {
    if (this.#outgoing.length > 0) return false;
    for (const shard of this.shards.values()) if (!shard.idle) return false;
    return true;
  }
}
