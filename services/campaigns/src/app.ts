import {
  buildService,
  type Logger,
  type Metrics,
  requireToken,
  type Service,
  type TokenVerifier,
} from "@coupon/service-kit";
import type { Resources } from "./resources.ts";
import { actOnBatchRoute } from "./routes/act-on-batch/route.ts";
import { changeBatchRoute } from "./routes/change-batch/route.ts";
import { changeCampaignRoute } from "./routes/change-campaign/route.ts";
import { changeStockRoute } from "./routes/change-stock/route.ts";
import { changeTemplateRoute } from "./routes/change-template/route.ts";
import { createBatchRoute } from "./routes/create-batch/route.ts";
import { createCampaignRoute } from "./routes/create-campaign/route.ts";
import { createTemplateRoute } from "./routes/create-template/route.ts";
import { deactivateBatchRoute } from "./routes/deactivate-batch/route.ts";
import { deactivateCouponRoute } from "./routes/deactivate-coupon/route.ts";
import { getBatchRoute } from "./routes/get-batch/route.ts";
import { getBatchStatsRoute } from "./routes/get-batch-stats/route.ts";
import { getCampaignRoute } from "./routes/get-campaign/route.ts";
import { getTemplateRoute } from "./routes/get-template/route.ts";
import { listBatchesRoute } from "./routes/list-batches/route.ts";
import { listCampaignsRoute } from "./routes/list-campaigns/route.ts";
import { listTemplatesRoute } from "./routes/list-templates/route.ts";

export interface AppOptions {
  logger: Logger;
  metrics: Metrics;
  verifier: TokenVerifier;
  ready: () => Promise<boolean>;
}

/** The operators' API. Nothing listens yet. */
export function buildApp(resources: Resources, { verifier, ...options }: AppOptions): Service {
  const app = buildService({
    name: "campaigns",
    version: "0.1.0",
    openapi: { title: "Coupon platform: operators' API of campaigns" },
    ...options,
  });
  app.register(
    async (scope) => {
      const ops = scope as unknown as Service;
      requireToken(ops, verifier);
      createTemplateRoute(ops, resources);
      getTemplateRoute(ops, resources);
      listTemplatesRoute(ops, resources);
      changeTemplateRoute(ops, resources);
      createCampaignRoute(ops, resources);
      getCampaignRoute(ops, resources);
      listCampaignsRoute(ops, resources);
      changeCampaignRoute(ops, resources);
      createBatchRoute(ops, resources);
      getBatchRoute(ops, resources);
      listBatchesRoute(ops, resources);
      changeBatchRoute(ops, resources);
      actOnBatchRoute(ops, resources);
      deactivateBatchRoute(ops, resources);
      changeStockRoute(ops, resources);
      getBatchStatsRoute(ops, resources);
      deactivateCouponRoute(ops, resources);
    },
    { prefix: "/ops/v1" },
  );
  return app;
}
