import type { Service } from "./service.ts";

/** Adds `/healthz` (alive), `/readyz` (may take traffic), `/metrics` and `/openapi.json`. */
export function addOperationalRoutes(app: Service, ready: () => Promise<boolean> | boolean): void {
  const hidden = { schema: { hide: true } };
  app.get("/healthz", hidden, async () => ({ status: "alive" }));
  app.get("/readyz", hidden, async (_request, reply) => {
    const isReady = !app.lifecycle.draining && (await isTrue(ready));
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? "ready" : "not_ready" });
  });
  app.get("/metrics", hidden, async (_request, reply) => {
    const text = await app.metrics.registry.metrics();
    return reply.type(app.metrics.registry.contentType).send(text);
  });
  app.get("/openapi.json", hidden, async () => app.swagger());
}

/** A check that throws is a check that fails. */
async function isTrue(check: () => Promise<boolean> | boolean): Promise<boolean> {
  try {
    return await check();
  } catch {
    return false;
  }
}
