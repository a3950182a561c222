import { buildService, type Logger, type Metrics, requireInternalToken, type Service } from "@coupon/service-kit";
import type { LedgerResources } from "./resources.ts";
import { batchStatsRoute } from "./routes/batch-stats/route.ts";
import { listCouponsRoute } from "./routes/list-coupons/route.ts";
import { orderCouponsRoute } from "./routes/order-coupons/route.ts";
import { readCouponRoute } from "./routes/read-coupon/route.ts";
import { readOrderRoute } from "./routes/read-order/route.ts";

export interface AppOptions {
  logger: Logger;
  metrics: Metrics;
  internalToken: string;
  ready: () => Promise<boolean>;
}

const VERSION = "0.1.0";

/** The ledger's reads, for our own services alone: issuing's front states the caller that it has proven. */
export function buildApp(resources: LedgerResources, options: AppOptions): Service {
  const { logger, metrics, internalToken, ready } = options;
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
  });
  return app;
}
