import { type Entry, shardKey } from "@coupon/domain";
import { effectOf } from "../shard-count.ts";
import { ShardTally } from "./shard-tally.ts";

/** The tallies of all shards in the partitions that this process applies, kept by the entries as they are applied. */
export class Tallies {
  readonly #byPartition = new Map<number, Map<string, ShardTally>>();

  /** An entry that counts is being applied. Called for every entry, so it does little. */
  applied(partition: number, entry: Entry, hash: string): void {
    this.of(partition, entry.batch, entry.shard).add(effectOf(entry, hash));
  }

  of(partition: number, batch: number, shard: number): ShardTally {
    let shards = this.#byPartition.get(partition);
    if (shards === undefined) {
      shards = new Map();
      this.#byPartition.set(partition, shards);
    }
    const key = shardKey(batch, shard);
    let tally = shards.get(key);
    if (tally === undefined) {
      tally = new ShardTally(batch, shard, partition);
      shards.set(key, tally);
    }
    return tally;
  }

  /** Forgets partitions that this process applies no more. */
  keepOnly(partitions: ReadonlySet<number>): void {
    for (const partition of this.#byPartition.keys()) {
      if (!partitions.has(partition)) this.#byPartition.delete(partition);
    }
  }
}
