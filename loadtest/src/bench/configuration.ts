import { execFileSync } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { createPool } from "@coupon/database";
import type { LocalStack } from "@coupon/demo";
import { connectRedis } from "@coupon/redis";
import type { Configuration } from "./report.ts";

const GiB = 2 ** 30;

/** What made the numbers: they mean little without it. */
export async function readConfiguration(local: LocalStack, settings: Configuration): Promise<Configuration> {
  return {
    commit: gitCommit(),
    at: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round((totalmem() / GiB) * 10) / 10,
    kernel: execFileSync("uname", ["-sr"], { encoding: "utf8" }).trim(),
    node: process.version,
    redis: await redisVersion(local.addresses.redisUrl),
    postgres: await postgresVersion(local.addresses.databaseUrl),
    kafka: "one broker (KRaft), replication 1, acks=all",
    partitions: local.log.partitions,
    ...settings,
  };
}

function gitCommit(): string {
  try {
    const head = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
    const changed = execFileSync("git", ["status", "--porcelain", "--untracked-files=no"], { encoding: "utf8" }) !== "";
    return changed ? `${head} with local changes` : head;
  } catch {
    return "unknown";
  }
}

async function redisVersion(redisUrl: string): Promise<string> {
  const redis = await connectRedis({ url: redisUrl, cluster: false });
  try {
    return /redis_version:(\S+)/.exec(await redis.info("server"))?.[1] ?? "unknown";
  } finally {
    await redis.close();
  }
}

async function postgresVersion(databaseUrl: string): Promise<string> {
  const pool = createPool({ databaseUrl, max: 1, statementTimeoutMs: 5_000, connectionTimeoutMs: 5_000 });
  try {
    const { rows } = await pool.query<{ server_version: string }>("SHOW server_version");
    return rows[0]?.server_version ?? "unknown";
  } finally {
    await pool.end();
  }
}
