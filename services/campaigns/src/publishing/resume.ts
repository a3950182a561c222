import { createBatchFollower, type LogConfig } from "@coupon/events";
import type { Resources } from "../resources.ts";
import { type PublishedBatch, publishedBatches } from "../stores/batches.ts";
import { done, transact } from "../stores/transact.ts";
import { publishAgain } from "../use-cases/await-in-force.ts";
import { undoDecrease } from "../use-cases/settle-decrease.ts";

const PAGE = 500;

/**
 * Picks up what an earlier process left: publishes again what the topic lacks (it may be a new one) and what
 * no shard is known to have in force, for owners confirm again what they see again; and undoes decreases of
 * the stock that were under way, since what shards said about them meanwhile was not heard.
 *
 * @throws LogUnavailable, and what the database throws
 */
export async function resumePublishing(resources: Resources, config: LogConfig): Promise<void> {
  const published = await readTopic(config);
  let after = "";
  for (;;) {
    const page = await publishedBatches(resources.prisma, after, PAGE);
    for (const batch of page) await resume(resources, batch, published.get(batch.batchId) ?? 0);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.batchId;
  }
}

/** The newest version of each batch that the topic has. */
async function readTopic(config: LogConfig): Promise<Map<string, number>> {
  const versions = new Map<string, number>();
  const follower = createBatchFollower({
    config,
    onChange: (batchId, definition) => versions.set(batchId, definition?.version ?? 0),
  });
  await follower.start();
  await follower.close();
  return versions;
}

async function resume(resources: Resources, batch: PublishedBatch, versionInTopic: number): Promise<void> {
  const { batchId, publishedVersion, confirmedVersion, decreaseVersion } = batch;
  if (decreaseVersion !== null) {
    await transact(resources.prisma, async (tx) => done(await undoDecrease(resources, tx, batchId)));
  } else if (versionInTopic < publishedVersion || (confirmedVersion ?? 0) < publishedVersion) {
    await publishAgain(resources, batchId);
  }
}
