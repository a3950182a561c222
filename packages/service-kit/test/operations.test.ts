import { once } from "node:events";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { checkOpenApi, eventually } from "@coupon/testkit";
import { Agent } from "undici";
import { afterEach, expect, test } from "vitest";
import { drain, listen, type Service, StartFailure, traceparentFor } from "../src/index.ts";
import { internalToken, sampleService } from "./sample-service.ts";
import { signedHeaders } from "./signed.ts";

const open: Service[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});

async function start(more: Parameters<typeof sampleService>[0] = {}, prepare: (app: Service) => void = () => {}) {
  const { app } = sampleService(more);
  prepare(app);
  open.push(app);
  const base = await listen(app, { host: "127.0.0.1", port: 0 });
  return { app, base };
}

test("/openapi.json is generated from the route schemas", async () => {
  const { base } = await start();
  const document = (await (await fetch(`${base}/openapi.json`)).json()) as {
    openapi: string;
    info: object;
    paths: Record<
      string,
      Record<string, { parameters?: { name: string; in: string }[]; requestBody?: object; security?: object[] }>
    >;
    components: { securitySchemes: object };
  };
  expect(document.openapi).toBe("3.1.0");
  expect(document.info).toEqual({ title: "sample", version: "1.2.3" });
  const claim = document.paths["/v1/batches/{batchId}/claims"]?.post;
  expect(claim?.parameters?.map(({ name }) => name).sort()).toEqual(["batchId", "idempotency-key"]);
  expect(JSON.stringify(claim?.requestBody)).toContain('"additionalProperties":false');
  expect(Object.keys(document.paths)).not.toContain("/metrics");
  expect(Object.keys(document.paths)).toContain("/internal/ping");
  expect(await checkOpenApi(document)).toEqual([]);
  expect(claim?.security).toEqual([{ messageSignature: [] }]);
  expect(document.paths["/internal/ping"]?.get?.security).toEqual([{ internalToken: [] }]);
  expect(Object.keys(document.components.securitySchemes)).toEqual(["messageSignature", "internalToken"]);
});

test("/healthz is alive; /readyz follows the check, also one that throws", async () => {
  let answer: () => boolean = () => true;
  const { base } = await start({ ready: () => answer() });
  expect((await fetch(`${base}/healthz`)).status).toBe(200);
  expect((await fetch(`${base}/readyz`)).status).toBe(200);
  answer = () => false;
  expect((await fetch(`${base}/readyz`)).status).toBe(503);
  answer = () => {
    throw new Error("no");
  };
  expect((await fetch(`${base}/readyz`)).status).toBe(503);
  expect((await fetch(`${base}/healthz`)).status).toBe(200);
});

test("/metrics counts every answer once, by route and status", async () => {
  const { base } = await start();
  const url = "/v1/users/u/coupons";
  for (let i = 0; i < 3; i++) await fetch(base + url, { headers: signedHeaders({ method: "GET", url }) });
  await fetch(base + url);
  await fetch(`${base}/nowhere`);
  const text = await (await fetch(`${base}/metrics`)).text();
  const count = (route: string, status: number) =>
    text.match(
      new RegExp(
        `^http_request_duration_seconds_count{method="[^"]*",route="${route}",status="${status}".*} (.*)$`,
        "m",
      ),
    )?.[1];
  expect(count("/v1/users/:userId/coupons", 200)).toBe("3");
  expect(count("/v1/users/:userId/coupons", 401)).toBe("1");
  expect(count("unmatched", 404)).toBe("1");
  expect(text).toMatch(
    /http_request_duration_seconds_bucket{method="GET",route="\/v1\/users\/:userId\/coupons",status="200",le="\+Inf",service="sample"} 3/,
  );
  expect(text).toContain("nodejs_eventloop_lag_p99_seconds");
  expect(text).toContain("process_resident_memory_bytes");
});

test("a well-formed Request-Id is kept, another replaced; each generated one is new", async () => {
  const { base } = await start();
  const idOf = async (given?: string) =>
    (await fetch(`${base}/healthz`, { headers: given === undefined ? {} : { "request-id": given } })).headers.get(
      "request-id",
    );
  expect(await idOf("abc-1.2:3")).toBe("abc-1.2:3");
  for (const given of ["two words", "x".repeat(129), "a,b", '"q"']) expect(await idOf(given)).not.toBe(given);
  expect(await idOf()).not.toBe(await idOf());
});

test("traceparent is carried on: the same trace with a parent of our own, or a new trace", async () => {
  const seen: string[] = [];
  const { base } = await start({}, (app) => {
    app.get("/trace", async (request) => {
      seen.push(traceparentFor(request));
      return {};
    });
  });
  const given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const answer = await fetch(`${base}/trace`, { headers: { traceparent: given } });
  expect(answer.headers.get("traceparent")).toBe(given);
  expect(seen[0]).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/);
  expect(seen[0]).not.toBe(given);
  for (const bad of ["", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "nonsense"]) {
    await fetch(`${base}/trace`, { headers: { traceparent: bad } });
  }
  for (const made of seen.slice(1)) expect(made).toMatch(/^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-00$/);
});

test("an internal endpoint takes its token alone", async () => {
  const { base } = await start();
  const ask = async (authorization?: string) =>
    (await fetch(`${base}/internal/ping`, { headers: authorization === undefined ? {} : { authorization } })).status;
  expect(await ask(`Bearer ${internalToken}`)).toBe(200);
  expect(await ask(`Bearer ${internalToken}x`)).toBe(401);
  expect(await ask("Bearer ")).toBe(401);
  expect(await ask()).toBe(401);
});

test("a port in use, and an address of another machine, are told in one sentence", async () => {
  const { base } = await start();
  const { app } = sampleService();
  open.push(app);
  const port = Number(new URL(base).port);
  await expect(listen(app, { host: "127.0.0.1", port })).rejects.toThrow(
    new StartFailure(`127.0.0.1:${port} is in use; stop what listens there or set another PORT.`),
  );
  const other = sampleService().app;
  open.push(other);
  await expect(listen(other, { host: "203.0.113.1", port: 0 })).rejects.toThrow(/set HOST to one/);
});

test("two services share a port with reusePort", async () => {
  const first = sampleService().app;
  const second = sampleService().app;
  open.push(first, second);
  const base = await listen(first, { host: "127.0.0.1", port: 0, reusePort: true });
  await listen(second, { host: "127.0.0.1", port: Number(new URL(base).port), reusePort: true });
  await first.close();
  expect((await fetch(`${base}/healthz`)).status).toBe(200);
});

/** Keeps `connections` busy with requests that take a while, each until its first failure. */
function keepAsking(base: string, connections: number) {
  const agent = new Agent({ connections, pipelining: 1 });
  const answers: { status: number; connection: unknown }[] = [];
  const failures: unknown[] = [];
  const ask = async () => {
    while (failures.length < connections) {
      try {
        const { statusCode, headers, body } = await agent.request({ origin: base, path: "/slow", method: "GET" });
        await body.dump();
        answers.push({ status: statusCode, connection: headers.connection });
      } catch (error) {
        failures.push((error as NodeJS.ErrnoException).code);
        return;
      }
    }
  };
  const done = Promise.all(Array.from({ length: connections }, ask)).then(() => agent.destroy());
  return { answers, failures, done };
}

test("draining under load answers every request, hangs up politely and ends", async () => {
  let begun = 0;
  const { app, base } = await start({}, (service) => {
    service.get("/slow", async () => {
      begun++;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return {};
    });
  });
  const { answers, failures, done } = keepAsking(base, 8);
  while (begun < 40) await once(app.server, "request");
  const startedMs = performance.now();
  await drain(app, { lameDuckMs: 5_000 });
  expect(performance.now() - startedMs).toBeLessThan(4_000);
  await done;
  expect(answers.length).toBe(begun);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(answers.filter(({ connection }) => connection === "close").length).toBeGreaterThanOrEqual(8);
  expect(new Set(failures)).toEqual(new Set(["ECONNREFUSED"]));
});

test("draining closes idle connections and waits for a request that began before it", async () => {
  const end = Promise.withResolvers<void>();
  const { app, base } = await start({}, (service) => {
    service.get("/long", async () => {
      await end.promise;
      return {};
    });
  });
  const connections = promisify(app.server.getConnections.bind(app.server));
  const agent = new Agent({ connections: 1, pipelining: 1, keepAliveTimeout: 60_000 });
  const other = new Agent({ connections: 1, pipelining: 1 });
  await (await agent.request({ origin: base, path: "/healthz", method: "GET" })).body.dump();
  const begun = once(app.server, "request");
  const long = other.request({ origin: base, path: "/long", method: "GET" });
  await begun;
  expect(await connections()).toBe(2);
  const drained = drain(app, { lameDuckMs: 20 });
  await eventually(async () => (await connections()) === 1);
  end.resolve();
  await drained;
  expect((await long).statusCode).toBe(200);
  await (await long).body.dump();
  await Promise.all([agent.destroy(), other.destroy()]);
});

test("a service that is draining is not ready", async () => {
  const { app, base } = await start();
  app.lifecycle.draining = true;
  const answer = await fetch(`${base}/readyz`);
  expect(answer.status).toBe(503);
  expect(answer.headers.get("connection")).toBe("close");
});

/** Opens connections, each with a request, from a thread of its own; says how many were answered. */
const crowd = `
  const { connect } = require("node:net");
  const { parentPort, workerData } = require("node:worker_threads");
  const { port, count, sent } = workerData;
  let answered = 0, over = 0;
  for (let i = 0; i < count; i++) {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write("GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n");
      if (Atomics.add(sent, 0, 1) === count - 1) Atomics.notify(sent, 0);
    });
    socket.once("data", () => (answered += 1)).on("error", () => {}).on("close", () => {
      over += 1;
      if (over === count) parentPort.postMessage(answered);
    });
  }`;

test("draining takes up the connections that wait to be accepted", async () => {
  const { app } = sampleService();
  const { port } = new URL(await listen(app, { host: "127.0.0.1", port: 0 }));
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const count = 100;
  const worker = new Worker(crowd, { eval: true, workerData: { port: Number(port), count, sent } });
  const answered = once(worker, "message");
  // While this thread stands still, the kernel alone takes the connections.
  while (Atomics.load(sent, 0) < count) Atomics.wait(sent, 0, Atomics.load(sent, 0), 1_000);
  await drain(app, { lameDuckMs: 50 });
  expect(await answered).toEqual([count]);
  await worker.terminate();
});
