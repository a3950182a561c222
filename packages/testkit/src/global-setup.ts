import "./assert-node.ts";
import { startRealParts } from "./real-parts.ts";

/** Vitest global setup: Redis, Kafka and PostgreSQL for the run; see {@link startRealParts}. */
export default async function setup(): Promise<() => Promise<void>> {
  const parts = await startRealParts(["redis", "kafka", "postgres"]);
  return parts.stop;
}
