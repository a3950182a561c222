import type { ShardAddress } from "@coupon/redis";
import { countLog } from "../../src/owner/count-log.ts";
import { type OpenedShard, openShard } from "../../src/owner/open-shard.ts";
import type { OwnerResources } from "../../src/owner/owner-context.ts";

/** What an owner's opening of a partition does, all of it or nothing. */
export async function openAll(
  parts: Pick<OwnerResources, "appender" | "appendTimeoutMs" | "calls" | "processId" | "reader" | "recovery">,
  partition: number,
  known: ShardAddress[],
): Promise<{ epoch: number; shards: OpenedShard[] }> {
  const marker = { v: 1, kind: "marker", owner: parts.processId, at: Date.now() } as const;
  const epoch = await parts.appender.appendMarker(partition, marker, parts.appendTimeoutMs);
  const { shards } = await countLog(parts, partition, epoch, known);
  return { epoch, shards: await Promise.all(shards.map((counted) => openShard(parts.calls, epoch, counted))) };
}
