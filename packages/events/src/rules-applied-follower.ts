import type { LogConfig } from "./config.ts";
import type { RulesApplied } from "./messages.ts";
import { TopicFollower } from "./topic-follower.ts";
import { readRulesApplied } from "./validate.ts";

/** Hears of rules that have come into force, from the start on. */
export interface RulesAppliedFollower {
  /**
   * Resolves once every message published from now on will be heard.
   * @throws LogUnavailable where that takes longer than 30 s
   */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** The broker answers at once where there is something; this is how long it may hold an empty answer. */
const MAX_WAIT_MS = 500;

/** @param onApplied must not throw; a message may come twice */
export function createRulesAppliedFollower({
  config,
  onApplied,
}: {
  config: LogConfig;
  onApplied: (message: RulesApplied) => void;
}): RulesAppliedFollower {
  const follower = new TopicFollower({
    config,
    topic: "rules-applied",
    from: "latest",
    maxWaitMs: MAX_WAIT_MS,
    onMessage(key, text) {
      try {
        if (text !== null) onApplied(readRulesApplied(text));
      } catch (error) {
        config.log?.(
          "error",
          `a message of rules-applied is skipped: ${error instanceof Error ? error.message : error}`,
          {
            key,
          },
        );
      }
    },
  });
  return { start: () => follower.start(), close: () => follower.close() };
}
