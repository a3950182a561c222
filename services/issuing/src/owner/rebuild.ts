import type { OwnerResources } from "./owner-context.ts";
import type { Partition } from "./partition.ts";
import type { RebuildPace } from "./rebuild-pace.ts";
import type { Shard } from "./shard.ts";

const SNAPSHOT_WAIT_MS = 2_000;
const RETRY_DELAY_MS = 200;

/**
 * Builds a shard that Redis lost, or has otherwise than the log, from PostgreSQL: waits until the ledger has
 * applied the shard's last counted entry, then drops what is there and loads the image under the partition's
 * epoch. Its header is written last, so that an interrupted load leaves no shard that could answer.
 * Resolves false where the partition was opened again meanwhile.
 */
export async function rebuildShard(
  { calls, recovery, logger, metrics }: OwnerResources,
  pace: RebuildPace,
  partition: Partition,
  shard: Shard,
  stillMine: () => boolean,
): Promise<boolean> {
  const startedAt = performance.now();
  while (stillMine()) {
    try {
      const built = await pace.oneOfFew(async () => {
        const snapshot = await recovery.snapshot(shard.address, shard.number, SNAPSHOT_WAIT_MS);
        if (snapshot === null) return false;
        try {
          if (snapshot.image.number !== shard.number) {
            throw new Error(`the ledger has entry ${snapshot.image.number} where the log counts ${shard.number}`);
          }
          if (!stillMine()) return false;
          await calls.load(shard.address, snapshot.image, snapshot.coupons, partition.epoch, () => pace.rest());
          shard.hash = snapshot.image.hash;
          shard.rulesVersion = snapshot.image.rules.version;
          return true;
        } finally {
          await snapshot.close();
        }
      });
      if (built) {
        metrics.rebuilt((performance.now() - startedAt) / 1000);
        return stillMine();
      }
      if (stillMine()) {
        const about = { shard: shard.key, number: shard.number };
        logger.warn(about, "the ledger has not applied the shard's last entry yet");
      }
    } catch (error) {
      logger.error({ err: error, shard: shard.key }, "rebuilding a shard failed; trying again");
      await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS));
    }
  }
  return false;
}
