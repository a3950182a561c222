import { type LogConfig, topicName } from "./config.ts";
import { LogLink } from "./kafka/log-link.ts";

/** For how long the log keeps entries, at least: null where nothing but the disk ends it. */
export interface Retention {
  ms: number | null;
  bytes: number | null;
}

/** What the entries topic says of its own age, over a connection of its own. */
export interface RetentionReads {
  /** As the topic is set up now: it may be altered while everything runs. @throws LogUnavailable after 5 s */
  retention(): Promise<Retention>;
  /**
   * Of each partition the offset of its first message that was written at `timeMs` or later, or the one that the next
   * message gets where there is none. What stands before it is older. @throws LogUnavailable after 5 s
   */
  firstSince(timeMs: number): Promise<number[]>;
  close(): void;
}

const TIMEOUT_MS = 5_000;

export function createRetentionReads(config: LogConfig): RetentionReads {
  const link = new LogLink(config, "entries");
  const topic = topicName(config, "entries");
  const limit = (value: string | undefined) => (value === undefined || Number(value) < 0 ? null : Number(value));
  return {
    async retention() {
      const settings = await link.session().settings(TIMEOUT_MS);
      const ms = settings.get("retention.ms");
      if (ms === undefined) throw new Error(`topic ${topic} does not say its retention`);
      return { ms: limit(ms), bytes: limit(settings.get("retention.bytes")) };
    },

    async firstSince(timeMs) {
      const partitions = Array.from({ length: config.partitions }, (_, partition) => partition);
      return link.session().offsetsSince(partitions, Math.max(0, Math.floor(timeMs)), TIMEOUT_MS);
    },

    close: () => link.close(),
  };
}
