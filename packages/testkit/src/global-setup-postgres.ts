import "./assert-node.ts";
import { startRealParts } from "./real-parts.ts";

/** Vitest global setup for packages that need PostgreSQL alone; see {@link startRealParts}. */
export default async function setup(): Promise<() => Promise<void>> {
  const parts = await startRealParts(["postgres"]);
  return parts.stop;
}
