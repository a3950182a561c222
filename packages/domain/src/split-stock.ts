/**
 * The part of a total that the shard at `index` gets: as even as integers allow, the first shards one
 * more each. The parts of all shards add up to the total.
 *
 * @throws RangeError for numbers that are not integers in their ranges
 */
export function shardPart(total: number, shards: number, index: number): number {
  if (!Number.isSafeInteger(total) || total < 0) throw new RangeError("a total is an integer from 0");
  if (!Number.isInteger(shards) || shards < 1) throw new RangeError("there is at least one shard");
  if (!Number.isInteger(index) || index < 0 || index >= shards) throw new RangeError("there is no such shard");
  const rest = total % shards;
  return (total - rest) / shards + (index < rest ? 1 : 0);
}
