import { describeDatabase } from "@coupon/database";
import { createPrisma, isDatabaseAway, type PrismaClient } from "@coupon/database/prisma";
import {
  createRulesAppliedFollower,
  createTablePublisher,
  ensureTopics,
  type LogConfig,
  LogUnavailable,
  TopicMisconfigured,
} from "@coupon/events";
import {
  createInternalHttp,
  createLogger,
  createMetrics,
  createTokenVerifier,
  drain,
  type Logger,
  listen,
  StartFailure,
} from "@coupon/service-kit";
import { buildApp } from "./app.ts";
import type { CampaignsConfig } from "./config.ts";
import { createCampaignMetrics } from "./metrics.ts";
import { Confirmations } from "./publishing/confirmations.ts";
import { Publisher } from "./publishing/publisher.ts";
import { resumePublishing } from "./publishing/resume.ts";
import { Settler } from "./publishing/settler.ts";
import { UnusedBudget } from "./publishing/unused-budget.ts";
import type { Resources } from "./resources.ts";
import { createIssuingCalls } from "./stores/issuing-calls.ts";
import { createLedgerStats } from "./stores/ledger-stats.ts";
import { settleInForce } from "./use-cases/settle-decrease.ts";

/** Of one definition: Kafka either has it by then, or it is sent again. */
const SEND_TIMEOUT_MS = 3_000;

export interface RunningCampaigns {
  /** Where it listens, e.g. `http://127.0.0.1:8082`. */
  url: string;
  close(): Promise<void>;
}

/**
 * Constructs campaigns, the only place that does, and starts it.
 *
 * @throws StartFailure with one sentence where PostgreSQL or Kafka is away or not set up
 */
export async function startCampaigns(config: CampaignsConfig): Promise<RunningCampaigns> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return { url: await start(config, (closer) => closers.push(closer)), close };
  } catch (error) {
    await close();
    throw explain(error);
  }
}

async function start(config: CampaignsConfig, atClose: (closer: () => Promise<unknown>) => void): Promise<string> {
  const logger = createLogger({ name: "campaigns", level: config.LOG_LEVEL });
  const metrics = createMetrics("campaigns");
  const own = createCampaignMetrics(metrics.registry);
  const verifier = await createTokenVerifier({
    ...{ issuer: config.OIDC_ISSUER, audience: config.OIDC_AUDIENCE, jwks: config.OIDC_JWKS },
  });
  const prisma = createPrisma({ databaseUrl: config.DATABASE_URL, connectionsMax: config.DATABASE_CONNECTIONS_MAX });
  atClose(() => prisma.$disconnect());
  await checkDatabase(prisma, config.DATABASE_URL);

  const log = logConfigOf(config, logger);
  await ensureTopics(log);
  const table = createTablePublisher({ config: log, source: "/campaigns" });
  atClose(() => table.close());
  const send = (definition: Parameters<typeof table.publishBatch>[0]) =>
    table.publishBatch(definition, SEND_TIMEOUT_MS);
  const publisher = new Publisher({ prisma, send, metrics: own, logger });
  const confirmations = new Confirmations((inForce) => settler.add(inForce));
  const now = () => new Date();
  const settler = new Settler({
    settle: (inForce) => settleInForce({ prisma, now }, inForce),
    settled: ({ batchId, version }) => confirmations.forget(batchId, version),
    ...{ metrics: own, logger },
  });
  const timeoutMs = config.INTERNAL_TIMEOUT_MS;
  const guarded = { timeoutMs, registry: metrics.registry };
  const httpTo = (addresses: string) => createInternalHttp({ addresses, token: config.INTERNAL_TOKEN, timeoutMs });
  const ledger = createLedgerStats(httpTo(config.LEDGER_URL), guarded);
  atClose(() => ledger.close());
  const issuing = createIssuingCalls(httpTo(config.ISSUING_INTERNAL_URL), guarded);
  atClose(() => issuing.close());
  const resources: Resources = {
    ...{ prisma, publisher, confirmations, ledger, issuing, metrics: own, now },
    settings: {
      confirmTimeoutMs: config.CONFIRM_TIMEOUT_MS,
      couponKeyVersion: config.COUPON_KEY_VERSION,
    },
  };

  const follower = createRulesAppliedFollower({ config: log, onApplied: (report) => confirmations.report(report) });
  await follower.start();
  atClose(() => follower.close());
  settler.start();
  atClose(() => settler.stop());
  await resumePublishing(resources, log);
  publisher.start();
  atClose(() => publisher.stop());
  const unusedBudget = new UnusedBudget({ resources, everyMs: config.GIVE_BACK_EVERY_MS, logger });
  unusedBudget.start();
  atClose(() => unusedBudget.stop());

  const app = buildApp(resources, { logger, metrics, verifier, ready: () => answers(prisma) });
  const url = await listen(app, { host: config.HOST, port: config.PORT });
  atClose(async () => {
    await drain(app);
    confirmations.stop();
  });
  return url;
}

async function answers(prisma: PrismaClient): Promise<boolean> {
  await prisma.$queryRaw`SELECT 1`;
  return true;
}

async function checkDatabase(prisma: PrismaClient, databaseUrl: string): Promise<void> {
  const at = `PostgreSQL at ${describeDatabase(databaseUrl)}`;
  try {
    await prisma.publication.findFirst({ select: { publicationId: true } });
  } catch (error) {
    const why = isDatabaseAway(error)
      ? "can't be reached; start it, or set DATABASE_URL to where it is."
      : `has no management tables that can be read; migrate it first, or see to DATABASE_URL's rights (${firstLine(error)}).`;
    throw new StartFailure(`${at} ${why}`, { cause: error });
  }
}

function explain(error: unknown): unknown {
  if (error instanceof TopicMisconfigured) return new StartFailure(error.message, { cause: error });
  if (!(error instanceof LogUnavailable)) return error;
  return new StartFailure(`Kafka can't be reached: ${error.message}; see to KAFKA_BROKERS.`, { cause: error });
}

function firstLine(error: unknown): string {
  const lines = error instanceof Error ? error.message.trim().split("\n") : [String(error)];
  return lines.at(-1) ?? "";
}

function logConfigOf(config: CampaignsConfig, logger: Logger): LogConfig {
  return {
    brokers: config.KAFKA_BROKERS.split(",").filter((broker) => broker !== ""),
    topicPrefix: config.TOPIC_PREFIX,
    partitions: config.PARTITIONS,
    clientId: `campaigns-${process.pid}`,
    log: (level, message, fields) => logger[level](fields, message),
  };
}
