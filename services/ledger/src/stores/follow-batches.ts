import { createBatchFollower, type LogConfig } from "@coupon/events";
import type { Logger } from "@coupon/service-kit";
import type { TermsBook } from "../posting/terms.ts";
import type { Batches } from "./batches.ts";

/**
 * Keeps `batches` as campaigns publishes them, and in `terms` what stays of each for good. Resolves once everything that is published has been taken in.
 *
 * @throws LogUnavailable
 */
export async function followBatches(
  config: LogConfig,
  batches: Batches,
  terms: TermsBook,
  logger: Logger,
): Promise<{ close(): Promise<void> }> {
  const follower = createBatchFollower({
    config,
    onChange: (batchId, definition) => {
      if (definition === null) batches.remove(batchId);
      else {
        batches.put(definition);
        if (!terms.put(definition))
          logger.error({ batchId }, "a published batch has other terms than it was issued on");
      }
    },
    onAlarm: (key, error) => logger.error({ key, err: error }, "a published batch can't be read"),
  });
  await follower.start();
  return follower;
}
