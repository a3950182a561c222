/**
 * The log did not confirm, or can't be reached. What was sent may or may not have been written: the
 * outcome is unknown, and later offsets tell.
 */
export class LogUnavailable extends Error {
  override readonly name = "LogUnavailable";
}

/** A range begins before what the log still has. It is never answered with what comes later. */
export class LogTruncated extends Error {
  override readonly name = "LogTruncated";
  readonly partition: number;
  readonly from: number;
  readonly earliest: number;

  constructor(partition: number, from: number, earliest: number) {
    super(
      `partition ${partition} of the entries begins at offset ${earliest}: what came from offset ${from} on is gone`,
    );
    this.partition = partition;
    this.from = from;
    this.earliest = earliest;
  }
}

/** A position lies beyond the end of the log: the log has lost what was acknowledged, or is another one. */
export class LogShrunk extends Error {
  override readonly name = "LogShrunk";
  readonly partition: number;

  constructor(partition: number, position: number, end: number) {
    super(
      `partition ${partition} of the entries ends at offset ${end}, before the position ${position} that was reached`,
    );
    this.partition = partition;
  }
}

/** A topic, or the cluster, is not set up as the platform needs it. One sentence: what, how it is, what to do. */
export class TopicMisconfigured extends Error {
  override readonly name = "TopicMisconfigured";
  readonly topic: string;
  readonly setting: string;

  constructor(topic: string, setting: string, message: string) {
    super(message);
    this.topic = topic;
    this.setting = setting;
  }
}

/** More than one send may carry. Nothing was sent. */
export class AppendTooLarge extends Error {
  override readonly name = "AppendTooLarge";
}

/** A sealed secret does not open with this key. Carries neither the key nor the secret. */
export class SealedSecretUnreadable extends Error {
  override readonly name = "SealedSecretUnreadable";
}
