import { createBatchFollower, createCallerFollower, type LogConfig } from "@coupon/events";
import type { Logger } from "@coupon/service-kit";
import type { Batches } from "./batches.ts";
import type { Callers } from "./callers.ts";

export interface DefinitionsResources {
  config: LogConfig;
  callerSecretsKey: Buffer;
  batches: Batches;
  callers: Callers;
  onBatch(batchNumber: number): void;
  logger: Logger;
}

/**
 * Follows the compacted topics of batches and callers, so that issuing starts and runs while the services
 * that manage them are down. Resolves once everything that is published has been taken in.
 */
export async function followDefinitions(resources: DefinitionsResources): Promise<{ close(): Promise<void> }> {
  const { config, callerSecretsKey, batches, callers, onBatch, logger } = resources;
  const onAlarm = (key: string, error: Error) =>
    logger.error({ key, err: error }, "a published definition can't be read");
  const followBatches = createBatchFollower({
    config,
    onChange: (_key, definition) => {
      if (definition === null) return;
      batches.put(definition);
      onBatch(definition.batchNumber);
    },
    onAlarm,
  });
  const followCallers = createCallerFollower({
    config,
    secretsKey: callerSecretsKey,
    onChange: (callerId, definition) => {
      if (definition === null) callers.remove(callerId);
      else callers.put(definition);
    },
    onAlarm,
  });
  await Promise.all([followBatches.start(), followCallers.start()]);
  return {
    async close() {
      await Promise.all([followBatches.close(), followCallers.close()]);
    },
  };
}
