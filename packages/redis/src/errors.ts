/** Redis could not be asked, or can't serve now: whether the command was executed is not known. Ask again later. */
export class RedisUnavailable extends Error {
  override readonly name = "RedisUnavailable";

  constructor(because: string, cause?: unknown) {
    super(`Redis is not available: ${because}`, { cause });
  }
}

/** Redis does not take buckets as RESTORE has them, so that no shard can be rebuilt in it. Its operator must act. */
export class RestoreRefused extends Error {
  override readonly name = "RestoreRefused";

  constructor(because: string, cause?: unknown) {
    super(`Redis takes no ready-made bucket: it must be 7.0 or later, and its user permitted RESTORE (${because})`, {
      cause,
    });
  }
}

/** Codes of replies by which a server or cluster says that it can't serve now. Any other error reply is a bug. */
const UNAVAILABLE =
  /^(LOADING|READONLY|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|MISCONF|NOREPLICAS|OOM|BUSY|MOVED|ASK|UNKILLABLE)\b/;

/** Turns what ioredis rejects with into {@link RedisUnavailable}, unless it is a reply that tells of a bug. */
export function redisError(error: unknown): Error {
  if (!(error instanceof Error)) return new RedisUnavailable(String(error));
  if (error instanceof RedisUnavailable) return error;
  const isReply = error.name === "ReplyError" && !UNAVAILABLE.test(error.message);
  return isReply ? error : new RedisUnavailable(error.message, error);
}
