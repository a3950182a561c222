import { randomBytes } from "node:crypto";
import { createPool, type Pool, readPositions } from "@coupon/database";
import { createCouponIdCodec, parseCouponKeys } from "@coupon/domain";
import {
  checkTopics,
  createEntryAppender,
  createLogReader,
  createRetentionReads,
  type EntryAppender,
  type LogConfig,
  type LogReader,
  LogUnavailable,
  type RetentionReads,
} from "@coupon/events";
import {
  connectRedis,
  createLeases,
  createOrderGuard,
  createShardCalls,
  type RedisConnection,
  type ShardCalls,
  whenReady,
} from "@coupon/redis";
import {
  createLogger,
  createMetrics,
  createSignatureVerifier,
  type DetachedRefusal,
  drain,
  type Logger,
  listen,
  type Metrics,
  StartFailure,
} from "@coupon/service-kit";
import { buildApp, buildInternalApp, type Role } from "./app.ts";
import type { IssuingConfig } from "./config.ts";
import { Batches } from "./front/batches.ts";
import { type CallerKey, Callers } from "./front/callers.ts";
import { followDefinitions } from "./front/definitions.ts";
import { Forwarder } from "./front/forwarder.ts";
import { createLedgerReads } from "./front/ledger-reads.ts";
import { OrderTies } from "./front/order-ties.ts";
import { Router } from "./front/router.ts";
import { createIssuingMetrics } from "./metrics.ts";
import { Admission } from "./overload/admission.ts";
import { LeaseKeeper } from "./owner/leases.ts";
import { Owner } from "./owner/owner.ts";
import { lagLevels, RetentionGuard } from "./owner/retention-guard.ts";
import type { IssuingResources } from "./resources.ts";
import { createOrderTieReads } from "./stores/order-tie-reads.ts";
import { createRecoveryReads } from "./stores/postgres-recovery-reads.ts";

/** What is closed at the end, last opened first; also when starting fails half-way. */
type Closers = (() => Promise<unknown>)[];

interface Basis {
  config: IssuingConfig;
  processId: string;
  roles: ReadonlySet<Role>;
  logger: Logger;
  metrics: Metrics;
  logConfig: LogConfig;
  hashKey: Buffer;
  batches: Batches;
  callers: Callers;
}

interface Parts {
  redis: RedisConnection;
  calls: ShardCalls;
  appender: EntryAppender;
  reader: LogReader;
  pool: Pool;
}

const START_TIMEOUT_MS = 5_000;

/** Constructs issuing, the only place that does, and starts it: the owner first, then the doors. */
export async function startIssuing(config: IssuingConfig): Promise<{ close(): Promise<void> }> {
  const closers: Closers = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const basis = createBasis(config);
    const parts = await connectParts(basis, closers);
    const { owner, leases, resources } = createWork(basis, parts, closers);
    await followInto(basis, owner, closers);
    await parts.reader.connect();
    const doors = await openDoors(basis, owner, leases, resources);
    return {
      /** Hands partitions over first, while still serving as a front; then drains the doors. */
      async close() {
        doors.app.lifecycle.draining = true;
        resources.admission.close();
        await leases.stop(config.REQUEST_DEADLINE_MS);
        await drain(doors.app);
        await owner.close();
        await drain(doors.internal);
        await closeAll();
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function createBasis(config: IssuingConfig): Basis {
  const processId = config.PROCESS_ID ?? `issuing-${process.pid}-${randomBytes(4).toString("hex")}`;
  const logger = createLogger({ name: "issuing", level: config.LOG_LEVEL });
  return {
    config,
    processId,
    roles: new Set(config.ISSUING_ROLES.split(",") as Role[]),
    logger,
    metrics: createMetrics("issuing"),
    hashKey: Buffer.from(config.HASH_KEY, "base64"),
    batches: new Batches(),
    callers: new Callers(),
    logConfig: {
      brokers: config.KAFKA_BROKERS.split(","),
      topicPrefix: config.TOPIC_PREFIX,
      partitions: config.PARTITIONS,
      clientId: processId,
      log: (level, message, fields) => logger[level](fields, message),
    },
  };
}

async function connectParts(
  { config, logConfig, processId, hashKey, logger }: Basis,
  closers: Closers,
): Promise<Parts> {
  const redis = await connectRedis({ url: config.REDIS_URL, cluster: config.REDIS_CLUSTER, logger });
  closers.push(() => redis.close());
  await whenReady(redis, START_TIMEOUT_MS).catch((error: Error) => {
    throw new StartFailure(`${error.message}; start Redis or set REDIS_URL to one that runs.`);
  });
  await checkTopics(logConfig).catch((error: Error) => {
    const advice = error instanceof LogUnavailable ? "; start Kafka or set KAFKA_BROKERS to one that runs." : "";
    throw new StartFailure(`${error.message}${advice}`);
  });
  const appender = createEntryAppender({ config: logConfig, source: `/issuing/${processId}` });
  closers.push(() => appender.close());
  await appender.connect();
  // A process that was killed and starts again under its name must not wait for its dead member of the group.
  const groupId = `issuing-open-${processId}-${randomBytes(4).toString("hex")}`;
  const reader = createLogReader({ config: logConfig, groupId });
  closers.push(() => reader.close());
  const pool = createPool({
    databaseUrl: config.DATABASE_URL,
    max: 4,
    statementTimeoutMs: 30_000,
    connectionTimeoutMs: 1_000,
    applicationName: "issuing",
  });
  closers.push(() => pool.end());
  return { redis, calls: createShardCalls({ redis, prefix: config.KEY_PREFIX, hashKey }), appender, reader, pool };
}

function createWork(basis: Basis, parts: Parts, closers: Closers) {
  const { config, processId, logger, metrics, batches, callers, hashKey, roles } = basis;
  const recovery = createRecoveryReads({ pool: parts.pool, calls: parts.calls, logger });
  const codec = createCouponIdCodec(parseCouponKeys(config.COUPON_KEYS));
  const times = { deadlineMs: config.REQUEST_DEADLINE_MS, patienceMs: config.RECOVERY_PATIENCE_MS };
  const log = createRetentionReads(basis.logConfig);
  closers.push(async () => log.close());
  const retention = createRetentionGuard(basis, parts, log, closers);
  const admission = createAdmission(config);
  const owner: Owner = new Owner({
    ...parts,
    ...times,
    recovery,
    retention,
    publish: (topic, messages) => parts.appender.publish(topic, messages),
    processId,
    batches,
    logger,
    partitions: config.PARTITIONS,
    appendTimeoutMs: config.APPEND_TIMEOUT_MS,
    pendingMax: config.PENDING_MAX,
    metrics: createIssuingMetrics(metrics.registry, {
      partitionsServing: () => [...owner.serving()].length,
      shardsWaiting: () => owner.shardsWaiting(),
      pending: () => owner.pending,
      retention: () => ({
        near: retention.count(lagLevels.near),
        stops_new: retention.count(lagLevels.stopsNew),
        stops_all: retention.count(lagLevels.stopsAll),
      }),
      ledgerUnknownSeconds: () => retention.unknownSeconds(),
      admission: () => admission,
    }),
    belongsTo: (couponId, userId) => codec.verify(couponId, userId) !== null,
    holdsLease: (partition) => leases.holds(partition),
    ask: (operation) => router.submit(operation),
  });
  const leases: LeaseKeeper = new LeaseKeeper(
    {
      leases: createLeases({ redis: parts.redis, prefix: config.KEY_PREFIX }),
      processId,
      address: `${config.INTERNAL_HOST}:${config.INTERNAL_PORT}`,
      partitions: config.PARTITIONS,
      ttlMs: config.LEASE_TTL_MS,
      logger,
      owners: (addresses) => forwarder.keep(addresses),
    },
    roles.has("owner") ? owner : null,
  );
  const forwarder: Forwarder = new Forwarder({
    internalToken: config.INTERNAL_TOKEN,
    deadlineMs: config.REQUEST_DEADLINE_MS,
    operationsMax: config.PENDING_MAX,
  });
  closers.push(() => forwarder.close());
  const router: Router = new Router({
    ...times,
    owner: roles.has("owner") ? owner : null,
    leases,
    forwarder,
    partitions: config.PARTITIONS,
  });
  const ledger = createLedgerReads({
    ledgerUrl: config.LEDGER_URL,
    internalToken: config.INTERNAL_TOKEN,
    timeoutMs: config.REQUEST_DEADLINE_MS,
    registry: metrics.registry,
  });
  closers.push(() => ledger.close());
  const orders = new OrderTies({
    guard: createOrderGuard({ redis: parts.redis, prefix: config.KEY_PREFIX }),
    reads: createOrderTieReads(parts.pool, log, config.PARTITIONS),
    logger,
    patienceMs: config.RECOVERY_PATIENCE_MS,
    marginMs: config.REQUEST_DEADLINE_MS + config.RECOVERY_PATIENCE_MS,
  });
  closers.push(() => orders.close());
  const resources: IssuingResources = {
    admission,
    batches,
    callers,
    codec,
    hashKey,
    router,
    ledger,
    orders,
    verifier: createSignatureVerifier<CallerKey>({ findKey: (keyId) => callers.key(keyId) }),
  };
  return { owner, leases, resources };
}

/** Refusals held are bounded by connections first; this is for a flood of those. */
const REFUSALS_HELD_MAX = 20_000;
const REFUSAL_BURST = 64;

function createAdmission(config: IssuingConfig): Admission<DetachedRefusal> {
  const admission = new Admission<DetachedRefusal>({
    initial: config.OVERLOAD_LIMIT_INITIAL,
    min: Math.min(config.OVERLOAD_LIMIT_MIN, config.OVERLOAD_LIMIT_INITIAL),
    max: Math.max(config.OVERLOAD_LIMIT_MAX, config.OVERLOAD_LIMIT_INITIAL),
    tolerance: config.OVERLOAD_TOLERANCE,
    latencyMsMin: config.OVERLOAD_LATENCY_MS_MIN,
    refusalsPerServed: config.OVERLOAD_REFUSALS_PER_SERVED,
    refusalBurst: REFUSAL_BURST,
    refusalHoldMsMax: config.OVERLOAD_HOLD_MS_MAX,
    refusalsHeldMax: REFUSALS_HELD_MAX,
    answer: (refusal) => refusal.send(),
  });
  admission.start();
  return admission;
}

function createRetentionGuard(
  { config, logger }: Basis,
  { pool }: Parts,
  log: RetentionReads,
  closers: Closers,
): RetentionGuard {
  const all = Array.from({ length: config.PARTITIONS }, (_, partition) => partition);
  const guard = new RetentionGuard({
    log,
    positions: async () => new Map((await readPositions(pool, all)).map((each) => [each.partition, each.position])),
    partitions: config.PARTITIONS,
    shareMax: config.RETENTION_SHARE_MAX,
    everyMs: config.RETENTION_CHECK_MS,
    now: Date.now,
    logger,
  });
  guard.start();
  closers.push(async () => guard.close());
  return guard;
}

async function followInto({ logConfig, config, batches, callers, logger }: Basis, owner: Owner, closers: Closers) {
  const definitions = await followDefinitions({
    config: logConfig,
    callerSecretsKey: Buffer.from(config.CALLER_SECRETS_KEY, "base64"),
    batches,
    callers,
    onBatch: (batch) => owner.batchChanged(batch),
    logger,
  });
  closers.push(() => definitions.close());
}

async function openDoors(basis: Basis, owner: Owner, leases: LeaseKeeper, resources: IssuingResources) {
  const { config, logger, metrics, roles } = basis;
  const doors = { open: false };
  const options = { logger, ready: () => doors.open };
  const app = buildApp(resources, { ...options, metrics }, roles);
  const internalMetrics = createMetrics("issuing-internal");
  const internal = buildInternalApp(resources, owner, config.INTERNAL_TOKEN, { ...options, metrics: internalMetrics });
  try {
    if (roles.has("orders")) await resources.orders.start();
    await listen(internal, { host: config.HOST, port: config.INTERNAL_PORT });
    await leases.start();
    await listen(app, { host: config.HOST, port: config.PORT, reusePort: config.REUSE_PORT });
  } catch (error) {
    await leases.stop(0);
    await owner.close();
    await Promise.all([app.close(), internal.close()]);
    throw error;
  }
  doors.open = true;
  return { app, internal };
}
