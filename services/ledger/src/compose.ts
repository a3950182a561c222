import { randomBytes } from "node:crypto";
import {
  createPool,
  DatabaseFailure,
  explainFailure,
  ledgerSettings,
  type Pool,
  type PoolOptions,
  readBatchTerms,
  readPositions,
} from "@coupon/database";
import { createCouponIdCodec, parseCouponKeys } from "@coupon/domain";
import { checkTopics, createLogReader, type LogConfig, LogUnavailable, TopicMisconfigured } from "@coupon/events";
import {
  ConfigInvalid,
  createLogger,
  createMetrics,
  createTokenVerifier,
  drain,
  type Logger,
  listen,
  StartFailure,
} from "@coupon/service-kit";
import { buildApp } from "./app.ts";
import { AppliedPositions } from "./applying/applied-positions.ts";
import { Applier } from "./applying/applier.ts";
import { LogFeed, observe } from "./applying/log-feed.ts";
import type { LedgerConfig } from "./config.ts";
import { createLedgerMetrics } from "./metrics.ts";
import { openBooks } from "./posting/open-books.ts";
import { createPostingMetrics } from "./posting/posting-metrics.ts";
import { Sweeper } from "./posting/sweeper.ts";
import { TermsBook } from "./posting/terms.ts";
import { Tallies } from "./reconciling/proof/tallies.ts";
import { createReconciling } from "./reconciling/reconciling.ts";
import { Batches } from "./stores/batches.ts";
import { followBatches } from "./stores/follow-batches.ts";
import { LogEnds } from "./stores/log-ends.ts";
import { Cursors } from "./use-cases/cursors.ts";

const TRANSACTION_BYTES_MAX = 1024 * 1024;
const READ_POLL_MS = 50;
const READS_WAITING_MAX = 1_000;
const READ_CONNECTIONS_MAX = 10;

export interface RunningLedger {
  /** Where it listens. */
  address: string;
  close(): Promise<void>;
}

/**
 * Constructs the ledger, the only place that does, and starts it: definitions and the log first, then the door.
 *
 * @param now milliseconds since the Unix epoch; stepped by tests alone
 */
export async function startLedger(config: LedgerConfig, now: () => number = Date.now): Promise<RunningLedger> {
  const closers: (() => Promise<unknown>)[] = [];
  try {
    return await start(config, now, closers);
  } catch (error) {
    for (const close of closers.reverse()) await close();
    throw startFailure(error);
  }
}

async function start(
  config: LedgerConfig,
  now: () => number,
  closers: (() => Promise<unknown>)[],
): Promise<RunningLedger> {
  const processId = `ledger-${process.pid}-${randomBytes(4).toString("hex")}`;
  const logger = createLogger({ name: "ledger", level: config.LOG_LEVEL });
  const metrics = createMetrics("ledger");
  const log = logConfigOf(config, processId, logger);
  const codec = createCouponIdCodec(readCouponKeys(config));
  const verifier = await createTokenVerifier({
    ...{ issuer: config.OIDC_ISSUER, audience: config.OIDC_AUDIENCE, jwks: config.OIDC_JWKS },
  });

  const reads = ledgerPool(config, READ_CONNECTIONS_MAX, { statementTimeoutMs: 3_000 });
  closers.push(() => reads.end());
  const writes = ledgerPool(config, config.TRANSACTIONS_MAX + 2, { statementTimeoutMs: 30_000 });
  closers.push(() => writes.end());
  await checkDatabase(config, reads);
  await checkTopics(log);

  const batches = new Batches();
  let applier: Applier | null = null;
  const terms = new TermsBook(() => applier?.termsKnown());
  terms.load(await readBatchTerms(reads));
  const follower = await followBatches(log, batches, terms, logger);
  closers.push(() => follower.close());
  await openBooks({ pool: writes, terms, waitMs: config.TERMS_WAIT_MS, now });
  const reader = createLogReader({ config: log, groupId: `${config.TOPIC_PREFIX}${processId}` });
  closers.push(() => reader.close());
  const ends = new LogEnds(reads, reader, config.PARTITIONS);

  const positions = new AppliedPositions({
    readPositions: (partitions) => readPositions(reads, partitions),
    pollMs: READ_POLL_MS,
    waitingMax: READS_WAITING_MAX,
  });
  let feed: LogFeed;
  const ledgerMetrics = createLedgerMetrics(metrics.registry, () => feed.partitions(now()));
  const tallies = new Tallies();
  const applying = new Applier({
    pool: writes,
    transactionsMax: config.TRANSACTIONS_MAX,
    rowsMax: config.TRANSACTION_ROWS_MAX,
    bytesMax: TRANSACTION_BYTES_MAX,
    gatherMs: config.GATHER_MS,
    restMs: { least: config.REST_MS, greatest: Math.max(config.REST_MS, config.REST_MS_MAX) },
    ...{ terms, termsWaitMs: config.TERMS_WAIT_MS },
    onEntry: (partition, entry, hash) => tallies.applied(partition, entry, hash),
    observer: observe({ metrics: ledgerMetrics, positions, logger }, () => feed.reread()),
  });
  applier = applying;
  feed = new LogFeed({
    config: log,
    groupId: `${config.TOPIC_PREFIX}${config.GROUP}`,
    sessionTimeoutMs: config.GROUP_SESSION_TIMEOUT_MS,
    applier: applying,
    logger,
  });
  closers.push(async () => {
    applying.letGo();
    await feed.stop();
    await applying.stop();
  });
  applying.start();
  const sweeper = new Sweeper({
    ...{
      pool: writes,
      terms,
      logEnds: () => ends.ends(),
      metrics: createPostingMetrics(metrics.registry),
      logger,
      now,
    },
    ...{ everyMs: config.SWEEP_EVERY_MS, graceMs: config.EXPIRY_GRACE_MS },
  });
  closers.push(() => sweeper.stop());
  sweeper.start();
  const reconciling = await createReconciling({
    ...{ config, log, logger, registry: metrics.registry, codec, batches, tallies },
    openPool: (connectionsMax, limits) => ledgerPool(config, connectionsMax, limits),
    partitions: () => feed.partitions(Date.now()).flatMap((each) => (each.halted ? [] : [each.partition])),
  });
  closers.push(() => reconciling.stop());

  const app = buildApp(
    {
      pool: reads,
      batches,
      codec,
      cursors: new Cursors(config.INTERNAL_TOKEN),
      positions,
      isCaughtUp: () => ends.areApplied(),
      asOfMs: (nowMs) => feed.asOfMs(nowMs),
      metrics: ledgerMetrics,
      readAfterMs: config.READ_AFTER_MS,
      now,
    },
    reconciling,
    {
      logger,
      metrics,
      internalToken: config.INTERNAL_TOKEN,
      verifier,
      ready: async () => feed.assigned > 0 && (await answers(reads)) && (await ends.reachable()),
    },
  );
  closers.push(() => drain(app));
  const address = await listen(app, { host: config.HOST, port: config.PORT });
  // After a crash the group waits for the member that is gone (GROUP_SESSION_TIMEOUT_MS); reads are answered meanwhile.
  await feed.start();
  reconciling.start();
  return {
    address,
    async close() {
      for (const close of closers.reverse()) await close();
    },
  };
}

function ledgerPool(
  config: LedgerConfig,
  max: number,
  limits: Pick<PoolOptions, "statementTimeoutMs" | "queryTimeoutMs">,
): Pool {
  return createPool({
    databaseUrl: config.DATABASE_URL,
    max,
    ...limits,
    connectionTimeoutMs: 2_000,
    applicationName: "ledger",
    settings: ledgerSettings,
  });
}

async function checkDatabase(config: LedgerConfig, pool: Pool): Promise<void> {
  const failed = (error: unknown): never => {
    throw explainFailure(config.DATABASE_URL, error);
  };
  const { rows } = await pool.query("SELECT to_regclass('ledger.partition_position') AS found").catch(failed);
  if (rows[0]?.found) return;
  throw new StartFailure(
    "The database has no ledger tables; migrate it first (pnpm --filter @coupon/database migrate).",
  );
}

async function answers(pool: Pool): Promise<boolean> {
  return pool.query("SELECT 1").then(
    () => true,
    () => false,
  );
}

function readCouponKeys(config: LedgerConfig): ReadonlyMap<number, Uint8Array> {
  try {
    return parseCouponKeys(config.COUPON_KEYS);
  } catch (error) {
    throw new ConfigInvalid("COUPON_KEYS", `COUPON_KEYS is not valid: ${(error as Error).message}.`);
  }
}

function logConfigOf(config: LedgerConfig, processId: string, logger: Logger): LogConfig {
  return {
    brokers: config.KAFKA_BROKERS.split(","),
    topicPrefix: config.TOPIC_PREFIX,
    partitions: config.PARTITIONS,
    clientId: processId,
    log: (level, message, fields) => logger[level](fields, message),
  };
}

/** What an operator can put right is told in one sentence. */
function startFailure(error: unknown): unknown {
  if (error instanceof DatabaseFailure || error instanceof TopicMisconfigured) return new StartFailure(error.message);
  if (error instanceof LogUnavailable) return new StartFailure(`The log can't be reached: ${error.message}.`);
  return error;
}
