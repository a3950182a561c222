import { createPool, type Pool } from "@coupon/database";
import { createEntryAppender, createLogReader, type EntryAppender, type LogReader } from "@coupon/events";
import { connectRedis, createShardCalls, type RedisConnection, type ShardCalls } from "@coupon/redis";
import { createLogger, type Logger } from "@coupon/service-kit";
import { uniqueName } from "@coupon/testkit";
import { createRecoveryReads } from "../../src/stores/postgres-recovery-reads.ts";
import type { RecoveryReads } from "../../src/stores/recovery-reads.ts";
import type { World } from "./world.ts";

/** What an opening works with, on the real parts of a world. */
export interface OwnerParts {
  processId: string;
  appendTimeoutMs: number;
  redis: RedisConnection;
  calls: ShardCalls;
  appender: EntryAppender;
  reader: LogReader;
  recovery: RecoveryReads;
  logger: Logger;
  close(): Promise<void>;
}

/** @param databaseUrl the world's by default; one where nobody listens for a PostgreSQL that is away */
export async function connectOwnerParts(
  world: World,
  databaseUrl = world.env.DATABASE_URL ?? "",
  statementTimeoutMs = 5_000,
): Promise<OwnerParts> {
  const processId = `${world.prefix}-parts`;
  const redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
  const hashKey = Buffer.from(world.env.HASH_KEY ?? "", "base64");
  const calls = createShardCalls({ redis, prefix: world.prefix, hashKey });
  const appender = createEntryAppender({ config: world.logConfig, source: "/test" });
  await appender.connect();
  const reader = createLogReader({ config: world.logConfig, groupId: uniqueName(processId) });
  await reader.connect();
  const pool: Pool = createPool({ databaseUrl, max: 2, statementTimeoutMs, connectionTimeoutMs: 5_000 });
  const logger = createLogger({ name: "test", level: "silent" });
  return {
    processId,
    appendTimeoutMs: 5_000,
    redis,
    calls,
    appender,
    reader,
    recovery: createRecoveryReads({ pool, calls, logger }),
    logger,
    async close() {
      await Promise.all([reader.close(), appender.close(), pool.end()]);
      await redis.close();
    },
  };
}
