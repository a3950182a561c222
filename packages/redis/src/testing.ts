import type { RedisConnection } from "./connect.ts";
import { createKeys } from "./keys.ts";
import type { ShardAddress } from "./shard-calls.ts";

export { createKeys } from "./keys.ts";
export { frameArguments, packClaims } from "./pack-claims.ts";
export { loadScript, runScript } from "./scripts.ts";

/**
 * Steps the clock of one shard that exists: its time is Redis' own plus `offsetMs`, and still never goes back.
 * For tests; nothing else sets it.
 */
export async function setClockOffset(
  redis: RedisConnection,
  prefix: string,
  at: ShardAddress,
  offsetMs: number,
): Promise<void> {
  await redis.hset(createKeys(prefix).header(at), "off", offsetMs);
}
