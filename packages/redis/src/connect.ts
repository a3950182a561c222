import { Cluster, Redis } from "ioredis";
import { RedisUnavailable } from "./errors.ts";

export type RedisConnection = Redis | Cluster;

export interface RedisConfig {
  /** `redis://host:port`; several, joined by commas, are nodes of one cluster to begin with. */
  url: string;
  /** Whether the nodes are a Redis Cluster. */
  cluster: boolean;
  /** After which a command is given up; its outcome is then unknown. Default 2,000. */
  commandTimeoutMs?: number;
  connectTimeoutMs?: number;
}

const RECONNECT_DELAY_MS_MAX = 500;

/**
 * Connects in the background and goes on trying for ever. Nothing waits for a connection: without one every
 * command fails at once, and one that was away when the connection broke fails then. Nothing is sent twice by
 * itself, for its sender alone knows whether that is harmless. Await {@link whenReady} before the first command.
 */
export function connectRedis(config: RedisConfig): RedisConnection {
  const redisOptions = {
    commandTimeout: config.commandTimeoutMs ?? 2_000,
    connectTimeout: config.connectTimeoutMs ?? 2_000,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
  };
  const delay = (attempt: number): number => Math.min(20 * 2 ** Math.min(attempt, 8), RECONNECT_DELAY_MS_MAX);
  const redis = config.cluster
    ? new Cluster(config.url.split(","), {
        redisOptions,
        enableOfflineQueue: false,
        clusterRetryStrategy: delay,
        maxRedirections: 5,
        retryDelayOnFailover: 50,
        retryDelayOnClusterDown: 100,
        slotsRefreshTimeout: 1_000,
        slotsRefreshInterval: 5_000,
      })
    : new Redis(config.url, { ...redisOptions, enableOfflineQueue: false, retryStrategy: delay });
  // Each command says by its own error that Redis is away; without a listener the event would end the process.
  redis.on("error", () => undefined);
  return redis;
}

/** Resolves once commands can be sent; throws {@link RedisUnavailable} where that takes longer than `timeoutMs`. */
export function whenReady(redis: RedisConnection, timeoutMs: number): Promise<void> {
  if (redis.status === "ready") return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onReady = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      redis.off("ready", onReady);
      reject(new RedisUnavailable(`no connection within ${timeoutMs} ms`));
    }, timeoutMs);
    redis.once("ready", onReady);
  });
}
