import {
  buildService,
  type Logger,
  type Metrics,
  requireInternalToken,
  requireSignature,
  type Service,
} from "@coupon/service-kit";
import { refuseWhenOverloaded } from "./overload/refuse-when-overloaded.ts";
import type { Owner } from "./owner/owner.ts";
import type { IssuingResources } from "./resources.ts";
import { claimCouponRoute } from "./routes/claim-coupon/route.ts";
import { getBatchRoute } from "./routes/get-batch/route.ts";
import { grantCouponsRoute } from "./routes/grant-coupons/route.ts";
import { internalCorrectRoute } from "./routes/internal-correct/route.ts";
import { internalDeactivateRoute } from "./routes/internal-deactivate/route.ts";
import { internalOperationsRoute } from "./routes/internal-operations/route.ts";
import { lockOrderRoute } from "./routes/lock-order/route.ts";
import { readLedgerRoutes } from "./routes/read-ledger/route.ts";
import { redeemOrderRoute } from "./routes/redeem-order/route.ts";
import { releaseOrderRoute } from "./routes/release-order/route.ts";
import { reverseOrderRoute } from "./routes/reverse-order/route.ts";

export interface AppOptions {
  logger: Logger;
  metrics: Metrics;
  ready: () => boolean;
}

export type Role = "claims" | "orders" | "owner";

const VERSION = "0.1.0";

/** The callers' API, under signatures. Roles leave routes out, so that checkout can run apart from claims. */
export function buildApp(resources: IssuingResources, options: AppOptions, roles: ReadonlySet<Role>): Service {
  const app = buildService({
    name: "issuing",
    version: VERSION,
    openapi: { title: "Coupon platform: callers' API" },
    ...options,
  });
  app.register(
    async (signed) => {
      const v1 = signed as unknown as Service;
      refuseWhenOverloaded(v1, resources.admission);
      requireSignature(v1, resources.verifier);
      getBatchRoute(v1, resources);
      if (roles.has("claims")) {
        claimCouponRoute(v1, resources);
        grantCouponsRoute(v1, resources);
      }
      if (roles.has("orders")) {
        lockOrderRoute(v1, resources);
        redeemOrderRoute(v1, resources);
        releaseOrderRoute(v1, resources);
        reverseOrderRoute(v1, resources);
      }
      readLedgerRoutes(v1, resources);
    },
    { prefix: "/v1" },
  );
  return app;
}

/** For our own processes alone: forwarded operations, campaigns' deactivations, the ledger's corrections. */
export function buildInternalApp(
  resources: IssuingResources,
  owner: Owner,
  token: string,
  options: AppOptions,
): Service {
  const app = buildService({ name: "issuing-internal", version: VERSION, bodyLimit: 64 * 1024 * 1024, ...options });
  app.register(async (scope) => {
    const ours = scope as unknown as Service;
    requireInternalToken(ours, token);
    internalOperationsRoute(ours, resources, owner);
    internalDeactivateRoute(ours, resources);
    internalCorrectRoute(ours, resources);
  });
  return app;
}
