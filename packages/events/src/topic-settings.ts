import type { Topic } from "./config.ts";

const DAY_MS = 86_400_000;

/** How a topic is created and what is checked at every start. */
export interface TopicSettings {
  /** null: as many as the configuration says. */
  partitions: number | null;
  cleanupPolicy: "delete" | "compact";
  /** How long messages are kept; null where compaction alone decides. */
  retentionMs: number | null;
  /** Of one record batch. */
  maxMessageBytes: number;
}

/**
 * The topics. Entries outlive the longest time that the ledger may lag; definitions are kept by key for
 * ever; announcements of rules in force matter for as long as an operator's call waits for them.
 */
export const topicSettings: Record<Topic, TopicSettings> = {
  entries: { partitions: null, cleanupPolicy: "delete", retentionMs: 7 * DAY_MS, maxMessageBytes: 8 * 1024 * 1024 },
  batches: { partitions: 1, cleanupPolicy: "compact", retentionMs: null, maxMessageBytes: 2 * 1024 * 1024 },
  callers: { partitions: 1, cleanupPolicy: "compact", retentionMs: null, maxMessageBytes: 2 * 1024 * 1024 },
  "rules-applied": { partitions: 1, cleanupPolicy: "delete", retentionMs: DAY_MS, maxMessageBytes: 1024 * 1024 },
};
