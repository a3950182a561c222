import type { ShardRules } from "@coupon/domain";
import type { DayStarts, ShardAddress } from "@coupon/redis";

/** The batches as the operators last published them, by shard. */
export interface BatchDirectory {
  shards(): ShardAddress[];
  shardsOf(batch: number): ShardAddress[];
  rulesOf(address: ShardAddress): { batchId: string; shards: number; rules: ShardRules } | null;
  /** The batch's stock in total. */
  stockOf(batch: number): number;
  dayStarts(batch: number, nowMs: number): DayStarts;
}
