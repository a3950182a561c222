import { createHash, randomBytes } from "node:crypto";
import { createPool, type Pool } from "@coupon/database";
import { createTestDatabase } from "@coupon/database/testing";
import { createTablePublisher, ensureTopics, type LogConfig } from "@coupon/events";
import { connectRedis, type RedisConnection } from "@coupon/redis";
import { createFaultProxy, createIssuer, type FaultProxy, freePorts, uniqueName } from "@coupon/testkit";
import { HistoryRecorder, type RecordedCaller } from "../history/recorder.ts";
import { BatchBook } from "./batch-book.ts";
import type { Parts } from "./parts.ts";
import { ProcessSlot } from "./process-slot.ts";
import { ISSUING_PROCESSES, type Schedule, type Target } from "./schedule.ts";

export const PARTITIONS = 4;
/** Beyond the deadline that issuing itself holds to. */
const ANSWER_WITHIN_MS = 2_500;

/** What a run holds of its own: processes, wires, a database, and what it asks the platform by. */
export interface Platform {
  prefix: string;
  log: LogConfig;
  hashKey: Buffer;
  shop: RecordedCaller;
  slots: Map<Target, ProcessSlot>;
  /** Each issuing process' way to Redis. */
  redisWires: FaultProxy[];
  redis: RedisConnection;
  pool: Pool;
  recorder: HistoryRecorder;
  batches: BatchBook;
  parts: Parts;
  close(): Promise<void>;
}

/** Starts the processes of a run over parts that are there: with a key prefix, topics and a database of its own. */
export async function startPlatform(parts: Parts, schedule: Schedule): Promise<Platform> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    return { ...(await start(parts, schedule, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Closers = (() => Promise<unknown>)[];

async function start(parts: Parts, schedule: Schedule, closers: Closers): Promise<Omit<Platform, "close">> {
  const prefix = uniqueName("f");
  const log = { brokers: parts.brokers, topicPrefix: `${prefix}.`, partitions: PARTITIONS, clientId: prefix };
  const redis = await connectRedis({ url: parts.redisUrl, cluster: false });
  closers.push(() => redis.close());
  await redis.flushall();
  parts.beginRun();
  const [database, issuer] = await Promise.all([createTestDatabase(), createIssuer(), ensureTopics(log)]);
  closers.push(
    () => database.drop(),
    () => issuer.close(),
  );
  const pool = createPool({
    ...{ databaseUrl: database.databaseUrl, max: 4, applicationName: "faults" },
    ...{ statementTimeoutMs: 10_000, connectionTimeoutMs: 5_000 },
  });
  closers.push(() => pool.end());
  const secretsKey = randomBytes(32);
  const publisher = createTablePublisher({ config: log, source: "/faults", secretsKey });
  closers.push(() => publisher.close());
  const shop = { callerId: "shop", keyId: "live_shop1", secret: randomBytes(32) };
  const keys = [{ keyId: shop.keyId, secret: shop.secret.toString("base64"), revoked: false }];
  await publisher.publishCaller({ callerId: "shop", version: 1, name: "shop", status: "live", keys });
  const hashKey = Buffer.from(schedule.hashKey, "hex");
  const env = {
    ...issuer.env,
    ...commonEnv(log, prefix),
    DATABASE_URL: database.databaseUrl,
    COUPON_KEYS: JSON.stringify({ 1: createHash("sha256").update(hashKey).digest("base64") }),
    HASH_KEY: hashKey.toString("base64"),
    CALLER_SECRETS_KEY: secretsKey.toString("base64"),
  };
  const batches = new BatchBook(publisher);
  for (const { batchNumber, change } of schedule.batches) await batches.publish(batchNumber, change);
  const redisWires = await Promise.all(
    Array.from({ length: ISSUING_PROCESSES }, () => createFaultProxy({ port: parts.redisPort })),
  );
  closers.push(() => Promise.all(redisWires.map((wire) => wire.close())));
  const slots = await makeSlots(schedule, env, redisWires);
  closers.push(() => Promise.all([...slots.values()].map((slot) => slot.end())));
  await Promise.all([...slots.values()].map((slot) => slot.start()));
  const issuing = [...slots].flatMap(([name, slot]) => (name.startsWith("issuing") ? [slot.url] : []));
  const recorder = new HistoryRecorder(issuing, 32, ANSWER_WITHIN_MS);
  closers.push(() => recorder.close());
  return { prefix, log, hashKey, shop, slots, redisWires, redis, pool, recorder, batches, parts };
}

function commonEnv(log: LogConfig, prefix: string): Record<string, string> {
  return {
    KAFKA_BROKERS: log.brokers.join(","),
    KEY_PREFIX: prefix,
    TOPIC_PREFIX: log.topicPrefix,
    PARTITIONS: String(PARTITIONS),
    INTERNAL_TOKEN: "a-token-between-our-own-services",
    LEDGER_URL: "http://127.0.0.1:9",
    LEASE_TTL_MS: "800",
    REQUEST_DEADLINE_MS: "2000",
    RECOVERY_PATIENCE_MS: "500",
    APPEND_TIMEOUT_MS: "1000",
    GROUP_SESSION_TIMEOUT_MS: "1500",
    LOG_LEVEL: "warn",
  };
}

async function makeSlots(
  { secondLedger }: Schedule,
  env: Record<string, string>,
  wires: FaultProxy[],
): Promise<Map<Target, ProcessSlot>> {
  const ports = await freePorts(2 * wires.length + 2);
  const port = () => ports.shift() ?? 0;
  const slots = new Map<Target, ProcessSlot>();
  for (const [each, wire] of wires.entries()) {
    const own = { REDIS_URL: `redis://127.0.0.1:${wire.port}`, INTERNAL_PORT: String(port()) };
    slots.set(`issuing-${each}`, new ProcessSlot("issuing", port(), { ...env, ...own }));
  }
  slots.set("ledger-0", new ProcessSlot("ledger", port(), env));
  if (secondLedger !== "none") {
    const group = secondLedger === "shares" ? {} : { GROUP: "rival" };
    slots.set("ledger-1", new ProcessSlot("ledger", port(), { ...env, ...group }));
  }
  return slots;
}
