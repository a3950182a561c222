import {
  buildService,
  type Logger,
  type Metrics,
  requireInternalToken,
  requireToken,
  type Service,
  type TokenVerifier,
} from "@coupon/service-kit";
import type { LedgerResources } from "./resources.ts";
import { approveCorrectionRoute } from "./routes/approve-correction/route.ts";
import { batchStatsRoute } from "./routes/batch-stats/route.ts";
import { batchUseRoute } from "./routes/batch-use/route.ts";
import { getReconciliationRoute } from "./routes/get-reconciliation/route.ts";
import { listCouponsRoute } from "./routes/list-coupons/route.ts";
import { listPostingsRoute } from "./routes/list-postings/route.ts";
import { listReconciliationsRoute } from "./routes/list-reconciliations/route.ts";
import { listSettlementsRoute } from "./routes/list-settlements/route.ts";
import { orderCouponsRoute } from "./routes/order-coupons/route.ts";
import { proposeCorrectionRoute } from "./routes/propose-correction/route.ts";
import { readCouponRoute } from "./routes/read-coupon/route.ts";
import { readOrderRoute } from "./routes/read-order/route.ts";
import { startAuditRoute } from "./routes/start-audit/route.ts";
import type { ReconcilingResources } from "./use-cases/reconciling.ts";

export interface AppOptions {
  logger: Logger;
  metrics: Metrics;
  internalToken: string;
  /** Judges operators' tokens. */
  verifier: TokenVerifier;
  ready: () => Promise<boolean>;
}

const VERSION = "0.1.0";

/**
 * The ledger's reads for our own services, where issuing's front states the caller that it has proven, and the
 * operators' API under `/ops/v1`.
 */
export function buildApp(resources: LedgerResources, reconciling: ReconcilingResources, options: AppOptions): Service {
  const { logger, metrics, internalToken, verifier, ready } = options;
  const app = buildService({
    name: "ledger",
    version: VERSION,
    openapi: { title: "Coupon platform: ledger" },
    logger,
    metrics,
    ready,
  });
  app.register(async (guarded) => {
    const internal = guarded as unknown as Service;
    requireInternalToken(internal, internalToken);
    readCouponRoute(internal, resources);
    listCouponsRoute(internal, resources);
    readOrderRoute(internal, resources);
    orderCouponsRoute(internal, resources);
    batchStatsRoute(internal, resources);
    batchUseRoute(internal, resources);
  });
  app.register(
    async (scope) => {
      const ops = scope as unknown as Service;
      requireToken(ops, verifier);
      listPostingsRoute(ops, resources);
      listSettlementsRoute(ops, resources);
      listReconciliationsRoute(ops, reconciling);
      getReconciliationRoute(ops, reconciling);
      startAuditRoute(ops, reconciling);
      proposeCorrectionRoute(ops, reconciling);
      approveCorrectionRoute(ops, reconciling);
    },
    { prefix: "/ops/v1" },
  );
  return app;
}
