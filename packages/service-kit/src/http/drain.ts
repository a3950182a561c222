import { setTimeout as sleep } from "node:timers/promises";
import type { Service } from "./service.ts";

/** How often a draining service looks whether its last connection has gone. */
const lookEveryMs = 10;

/**
 * Takes a service out of traffic without cutting a request off. First, for at most `lameDuckMs`, it
 * still serves but answers with `Connection: close` and says `/readyz` 503, so that callers leave;
 * closing at once would reset connections whose next request is on its way. Then it stops listening
 * and waits for the requests under way. The caller bounds the whole (`runService` does).
 */
export async function drain(app: Service, options: { lameDuckMs?: number } = {}): Promise<void> {
  app.lifecycle.draining = true;
  const until = performance.now() + (options.lameDuckMs ?? 300);
  while (performance.now() < until && (await connections(app)) > 0) await sleep(lookEveryMs);
  await app.close();
}

function connections(app: Service): Promise<number> {
  return new Promise((resolve) => app.server.getConnections((error, count) => resolve(error === null ? count : 0)));
}
