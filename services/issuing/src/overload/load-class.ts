import type { Operation } from "../owner/operation.ts";

/** In the order in which they are refused when there is too much: reads first, checkout last. */
export const loadClasses = ["reads", "jobs", "claims", "locks", "critical"] as const;

export type LoadClass = (typeof loadClasses)[number];

/**
 * Share of the limit that may be in use for a class to be let in: what is refused first stops while there is room for
 * the others. Checkout is not bound by the limit but by its greatest value.
 */
export const shareOf: Record<Exclude<LoadClass, "critical">, number> = {
  reads: 0.7,
  jobs: 0.8,
  claims: 0.9,
  locks: 1,
};

const routes: Record<string, LoadClass> = {
  "GET /v1/batches/:batchId": "reads",
  "GET /v1/coupons/:couponId": "reads",
  "GET /v1/users/:userId/coupons": "reads",
  "GET /v1/orders/:orderId": "reads",
  "POST /v1/batches/:batchId/grants": "jobs",
  "POST /v1/batches/:batchId/claims": "claims",
  "POST /v1/orders/:orderId/lock": "locks",
  "POST /v1/orders/:orderId/redeem": "critical",
  "POST /v1/orders/:orderId/release": "critical",
  "POST /v1/orders/:orderId/reversals": "critical",
};

/** @throws Error for a route without a class: every route of the callers' API has one */
export function loadClassOf(method: string, url: string): LoadClass {
  const found = routes[`${method === "HEAD" ? "GET" : method} ${url}`];
  if (found === undefined) throw new Error(`${method} ${url} has no load class`);
  return found;
}

/** That of the route which a forwarded operation came by; what our own services ask is for the good of all. */
export function loadClassOfOperation(operation: Operation): LoadClass {
  if (operation.op === "claim") return operation.request.via === "g" ? "jobs" : "claims";
  return operation.op === "lock" ? "locks" : "critical";
}
