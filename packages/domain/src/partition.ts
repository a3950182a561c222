/**
 * The partition of the entries topic in which a shard lives. The shards of a batch fall on consecutive
 * partitions, so that no partition gets two shards of a batch before every one has one; batches start
 * at places that are spread evenly (the finalizer of MurmurHash3).
 *
 * Changing this, or the number of partitions, moves shards away from their logs.
 *
 * @param partitions number of partitions of the topic, at least 1
 * @throws RangeError where `partitions` is not a positive integer
 */
export function partitionOf(batchNumber: number, shard: number, partitions: number): number {
  if (!Number.isInteger(partitions) || partitions < 1) throw new RangeError("there is at least one partition");
  return (spread(batchNumber) + shard) % partitions;
}

function spread(batchNumber: number): number {
  let hash = batchNumber >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
