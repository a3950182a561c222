import type { EntryKind } from "@coupon/domain";
import type { EntryAppender, LogReader } from "@coupon/events";
import type { Applied, ShardCalls } from "@coupon/redis";
import type { Logger } from "@coupon/service-kit";
import type { IssuingMetrics } from "../metrics.ts";
import type { RecoveryReads } from "../stores/recovery-reads.ts";
import type { BatchDirectory } from "./batch-directory.ts";
import type { Answer, Operation } from "./operation.ts";
import type { Partition } from "./partition.ts";
import type { Pending } from "./pending.ts";
import type { RetentionGuard } from "./retention-guard.ts";
import type { BelongsTo } from "./reversal.ts";
import type { Shard } from "./shard.ts";

/** What the owner works with. */
export interface OwnerResources {
  appender: Pick<EntryAppender, "append" | "appendMarker">;
  reader: Pick<LogReader, "readRange">;
  calls: ShardCalls;
  recovery: RecoveryReads;
  processId: string;
  appendTimeoutMs: number;
  batches: BatchDirectory;
  partitions: number;
  metrics: IssuingMetrics;
  logger: Logger;
  deadlineMs: number;
  /** How long an operation may wait for a shard that is recovering before it is told so. */
  patienceMs: number;
  pendingMax: number;
  publish: EntryAppender["publish"];
  retention: Pick<RetentionGuard, "stops">;
  /** Whether this process still has the partition's lease; it must not open what another has taken. */
  holdsLease(partition: number): Promise<boolean>;
  belongsTo: BelongsTo;
  /** Asks the owner of another shard, wherever it is. */
  ask(operation: Operation): Promise<Answer>;
}

/** What a script call left as the shard's last entry, and its text where the call wrote it. */
export type AppliedEntry = Pick<Extract<Applied<never>, { kind: "applied" }>, "number" | "hash" | "entry">;

/** A shard while a script call is made on it. */
export interface ShardTurn {
  partition: Partition;
  shard: Shard;
}

/** What the parts of the owner need of it: rules, cold records and transfers make script calls of their own. */
export interface OwnerContext {
  readonly resources: OwnerResources;
  /** Starts the shard's next script call, where it is free for one. */
  pump(partition: Partition, shard: Shard): void;
  /** Asks operations again that were taken out of their queue. */
  requeue(turn: ShardTurn, pendings: Pending[]): void;
  /** Takes over what a script call did: its entry goes out. */
  applied(turn: ShardTurn, result: AppliedEntry, kind: EntryKind): void;
}

/** Redis does not have the epoch or entry that this process expects. */
export class Mismatch extends Error {
  constructor(shard: Shard, found: { epoch: number; number: number } | null) {
    const has = found === null ? "nothing" : `epoch ${found.epoch}, entry ${found.number}`;
    super(`Redis has ${has} of shard ${shard.key} where entry ${shard.number} was expected`);
  }
}
