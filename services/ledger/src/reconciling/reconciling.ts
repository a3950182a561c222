import type { Pool, PoolOptions } from "@coupon/database";
import type { CouponIdCodec } from "@coupon/domain";
import { createLogReader, type LogConfig } from "@coupon/events";
import { connectRedis, createShardReads } from "@coupon/redis";
import type { Logger } from "@coupon/service-kit";
import type { Registry } from "prom-client";
import type { LedgerConfig } from "../config.ts";
import type { Batches } from "../stores/batches.ts";
import { createIssuingCalls } from "../stores/issuing-calls.ts";
import { Reconciliations } from "../stores/reconciliations.ts";
import type { ReconcilingResources } from "../use-cases/reconciling.ts";
import { Auditor } from "./audit/auditor.ts";
import { Corrector } from "./corrections/corrector.ts";
import { createReconcilingMetrics } from "./metrics.ts";
import { auditNightly } from "./nightly.ts";
import { DriftAudits } from "./proof/drift-audits.ts";
import { Prover } from "./proof/prover.ts";
import type { Tallies } from "./proof/tallies.ts";

const AWAY_MS = 30_000;
const CONNECTIONS_MAX = 4;

export interface ReconcilingParts {
  config: LedgerConfig;
  log: LogConfig;
  logger: Logger;
  registry: Registry;
  /** Makes a pool of so many connections. */
  openPool: (connectionsMax: number, limits: Pick<PoolOptions, "statementTimeoutMs" | "queryTimeoutMs">) => Pool;
  codec: CouponIdCodec;
  batches: Batches;
  tallies: Tallies;
  /** The partitions that this process applies now. */
  partitions: () => number[];
}

export interface Reconciling extends ReconcilingResources {
  start(): void;
  stop(): Promise<void>;
}

/** Constructs the running proof, the audit and the corrections. Nothing of the ledger waits for any of them. */
export async function createReconciling(parts: ReconcilingParts): Promise<Reconciling> {
  const { config, log, logger, registry, codec, batches, tallies } = parts;
  const redis = await connectRedis({ url: config.REDIS_URL, cluster: config.REDIS_CLUSTER, logger });
  const hashKey = Buffer.from(config.HASH_KEY, "base64");
  const reads = createShardReads({ redis, prefix: config.KEY_PREFIX, hashKey });
  const waitMs = config.RECONCILIATION_TIMEOUT_MS;
  const pool = parts.openPool(CONNECTIONS_MAX, { statementTimeoutMs: waitMs });
  // A whole shard streams through one statement: no time-out of the server's fits it. Its silence is limited instead.
  const snapshots = parts.openPool(1, { statementTimeoutMs: 0, queryTimeoutMs: waitMs });
  const store = new Reconciliations(pool);
  const definitionOf = (batch: number) => batches.byNumber(batch);
  const issuing = createIssuingCalls({
    ...{ addresses: config.ISSUING_INTERNAL_URL, token: config.INTERNAL_TOKEN },
    ...{ timeoutMs: config.INTERNAL_TIMEOUT_MS, registry },
  });
  const metrics = createReconcilingMetrics(
    registry,
    () => prover.summary(),
    () => store.countOpen(),
  );
  const auditor = new Auditor({
    ...{ pool, snapshots, reads, store, codec, definitionOf, metrics, logger },
    partitions: config.PARTITIONS,
    couponsAtOnce: config.AUDIT_COUPONS_AT_ONCE,
    awayMs: AWAY_MS,
    silenceMs: waitMs,
    openReader: (name) => createLogReader({ config: log, groupId: `${log.topicPrefix}${log.clientId}-${name}` }),
  });
  const driftAudits = new DriftAudits({ auditor, isDrifting: (at) => prover.isDrifting(at), logger });
  const prover: Prover = new Prover({
    ...{ pool, reads, tallies, definitionOf, logger, partitions: parts.partitions },
    everyMs: config.PROOF_EVERY_MS,
    onDrift(at, what) {
      metrics.drifted();
      logger.error(at, `the running proof has found a drift: ${what}`);
      // The audit names the coupon, and which of the stores it is.
      driftAudits.found(at);
    },
    onRound: metrics.round,
  });
  const corrector = new Corrector({
    ...{ store, pool, reads, auditor, issuing, definitionOf, metrics, logger },
    partitions: config.PARTITIONS,
    couponsAtOnce: config.AUDIT_COUPONS_AT_ONCE,
  });
  let endNights = () => {};
  return {
    ...{ store, auditor, corrector, batchByNumber: definitionOf },
    proof: () => prover.summary(),
    batchById: (batchId) => batches.byId(batchId),
    start() {
      if (config.PROOF_EVERY_MS > 0) prover.start();
      corrector.start();
      if (config.AUDIT_HOUR >= 0) endNights = auditNightly(auditor, config.AUDIT_HOUR, () => Date.now());
    },
    async stop() {
      endNights();
      await prover.stop();
      driftAudits.stop();
      await corrector.stop();
      await auditor.stop();
      await issuing.close();
      await pool.end();
      await snapshots.end();
      await redis.close();
    },
  };
}
