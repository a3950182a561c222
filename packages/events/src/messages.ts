/** Published by an owner once a rules entry is durable on a shard; campaigns waits for one from every shard. */
export interface RulesApplied {
  v: 1;
  batchId: string;
  batchNumber: number;
  /** Version of the batch definition that is in force from here on. */
  version: number;
  shard: number;
  shards: number;
  /** Stock that could not be taken back because it is issued already. */
  shortBy: number;
  /** Where the rules entry stands in the log. */
  partition: number;
  offset: number;
}
