import { collectDefaultMetrics, Registry } from "prom-client";
import { RequestHistogram, type RouteMeter } from "./request-histogram.ts";

export interface Metrics {
  /** Where a service registers its own metrics (`registers: [metrics.registry]`). */
  registry: Registry;
  meterFor(method: string, route: string): RouteMeter;
  /** Counts requests that no route took. */
  unmatched: RouteMeter;
}

/**
 * A registry of a service's own (there is no global one), labelled `service=<name>`, with the process's
 * metrics (event loop lag, CPU, memory, garbage collection) and the duration of requests.
 */
export function createMetrics(name: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: name });
  collectDefaultMetrics({ register: registry });
  const requests = new RequestHistogram();
  registry.registerMetric(requests);
  return {
    registry,
    meterFor: (method, route) => requests.meterFor(method, route),
    unmatched: requests.meterFor("any", "unmatched"),
  };
}

declare module "fastify" {
  interface FastifyRequest {
    startedAtMs: number;
    meter: RouteMeter | null;
  }
}
