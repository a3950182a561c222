import { countMessage, type PartitionCount, shardKey, toCountable } from "@coupon/domain";
import type { LogMessage, LogReader } from "@coupon/events";
import type { ShardAddress } from "@coupon/redis";
import type { LogBase, RecoveryReads } from "../stores/recovery-reads.ts";

export interface CountResources {
  reader: Pick<LogReader, "readRange">;
  recovery: Pick<RecoveryReads, "logBase">;
}

/** What the log says of one shard: its last counted number, and the entries read on the way there. */
export interface CountedShard {
  address: ShardAddress;
  number: number;
  /** SHA-1 of the last counted entry's text; null where it was not read and is not known. */
  hash: string | null;
  /** Where `number` is only known to be durable: the epoch of the header that says so (see LogBase). */
  floorOf: number | null;
  tail: LogMessage[];
  /** An entry left out another: nothing may be guessed of this shard. */
  gap: string | null;
}

export interface Count {
  shards: CountedShard[];
  /** Shards of which this reading could not tell anything. */
  uncounted: ShardAddress[];
  /** Any other shard of the partition has no entry in the log. */
  isWhole: boolean;
}

/**
 * Counts the partition's log by the counting rule up to the marker at `epoch`. From there on this process alone writes
 * what counts, so a shard of which it has sent nothing under `epoch` may be counted at any later time too.
 */
export async function countLog(
  { reader, recovery }: CountResources,
  partition: number,
  epoch: number,
  known: ShardAddress[],
): Promise<Count> {
  const base = await recovery.logBase(partition, known);
  const counting = new Counting(partition, base);
  for await (const messages of reader.readRange(partition, base.position, epoch)) {
    for (const message of messages) counting.take(message);
  }
  const unknown = new Set(base.uncounted.map(keyOf));
  for (const address of known) if (!unknown.has(keyOf(address))) counting.shardAt(address);
  return { shards: counting.shards(), uncounted: base.uncounted, isWhole: base.isWhole };
}

class Counting {
  readonly #partition: number;
  readonly #state: PartitionCount;
  readonly #shards = new Map<string, CountedShard>();
  /** Whether a shard that is not in the base begins with the first entry that is read of it. */
  readonly #findsNew: boolean;

  constructor(partition: number, base: LogBase) {
    this.#partition = partition;
    this.#state = { epoch: base.epoch, shards: new Map() };
    this.#findsNew = base.isWhole;
    for (const { address, number, hash, floorOf } of base.shards) {
      this.#state.shards.set(keyOf(address), number);
      this.#shards.set(keyOf(address), { address, number, hash, floorOf, tail: [], gap: null });
    }
  }

  shards(): CountedShard[] {
    return [...this.#shards.values()];
  }

  shardAt(address: ShardAddress): CountedShard {
    const found = this.#shards.get(keyOf(address));
    if (found !== undefined) return found;
    const shard = { address, number: 0, hash: "", floorOf: null, tail: [], gap: null };
    this.#shards.set(keyOf(address), shard);
    return shard;
  }

  take(message: LogMessage): void {
    const address = { batch: message.batch, shard: message.shard };
    if (message.marker === null && !this.#findsNew && !this.#shards.has(keyOf(address))) return;
    const verdict = countMessage(this.#state, toCountable(message));
    if (verdict === "gap") {
      const where = `partition ${this.#partition}: entry ${message.number} of shard ${keyOf(address)} at offset ${message.offset}`;
      this.shardAt(address).gap ??= `${where} leaves a gap`;
    }
    if (verdict !== "counts") return;
    const shard = this.shardAt(address);
    shard.number = message.number;
    shard.hash = null;
    shard.floorOf = null;
    shard.tail.push(message);
  }
}

function keyOf({ batch, shard }: ShardAddress): string {
  return shardKey(batch, shard);
}
