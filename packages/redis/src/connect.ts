import { Cluster, Redis } from "ioredis";
import { RedisUnavailable } from "./errors.ts";

export type RedisConnection = (Redis | Cluster) & {
  /** Lets what was sent be answered, for a second at most, and closes for good. Never throws. */
  close(): Promise<void>;
};

export interface RedisConfig {
  /** `redis://host:port`; several, joined by commas, are nodes of one cluster to begin with. */
  url: string;
  /** Whether the nodes are a Redis Cluster. */
  cluster: boolean;
  /** After which a command is given up; its outcome is then unknown. Default 2,000. */
  commandTimeoutMs?: number;
  /** Of one attempt to connect, and how long `connectRedis` waits for the first. Default 2,000. */
  connectTimeoutMs?: number;
  /** Is told when the connection fails or comes back; by default nobody is. */
  logger?: { warn(fields: object, message: string): void };
}

const RECONNECT_DELAY_MS_MAX = 500;

/**
 * Connects, and goes on trying for ever in the background; resolves once there is a connection, or none within
 * `connectTimeoutMs`. From then on nothing waits for one: without it every command fails at once, and one that was
 * away when the connection broke fails then. Nothing is sent twice by itself, for its sender alone knows whether
 * that is harmless.
 */
export async function connectRedis(config: RedisConfig): Promise<RedisConnection> {
  const connectTimeoutMs = config.connectTimeoutMs ?? 2_000;
  const redisOptions = {
    commandTimeout: config.commandTimeoutMs ?? 2_000,
    connectTimeout: connectTimeoutMs,
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
        // Not 0, ioredis sends a command whose connection was closed once more, though it may have run. Redirections and
        // CLUSTERDOWN come instead of running.
        retryDelayOnFailover: 0,
        retryDelayOnClusterDown: 100,
        slotsRefreshTimeout: 1_000,
        slotsRefreshInterval: 5_000,
      })
    : new Redis(config.url, { ...redisOptions, enableOfflineQueue: false, retryStrategy: delay });
  listen(redis, config);
  const connection = Object.assign(redis, { close: () => close(redis) });
  await whenReady(connection, connectTimeoutMs).then(
    () => connectMasters(redis),
    () => undefined,
  );
  return connection;
}

/** A cluster's masters are connected to by the first command for each, and the next ones would fail until it is there. */
async function connectMasters(redis: Redis | Cluster): Promise<void> {
  if (!(redis instanceof Cluster)) return;
  const waiting = redis.nodes("master").filter(({ status }) => status === "wait");
  await Promise.all(waiting.map((node) => node.connect().catch(() => undefined)));
}

/** Says once that the connection is lost, and once that it is back; commands tell by their own errors. */
function listen(redis: Redis | Cluster, { url, logger }: RedisConfig): void {
  let lost = false;
  redis.on("error", (error: Error) => {
    if (!lost) logger?.warn({ because: error.message, url }, "Redis can't be reached");
    lost = true;
  });
  redis.on("ready", () => {
    if (lost) logger?.warn({ url }, "Redis is back");
    lost = false;
  });
}

const CLOSE_PATIENCE_MS = 1_000;

async function close(redis: Redis | Cluster): Promise<void> {
  if (redis.status === "end") return;
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise((resolve) => {
    timer = setTimeout(resolve, CLOSE_PATIENCE_MS);
  });
  await Promise.race([redis.quit().catch(() => undefined), patience]);
  clearTimeout(timer);
  redis.disconnect();
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
