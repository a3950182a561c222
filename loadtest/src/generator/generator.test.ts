import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type HttpRequest, readFeed, writeFeed } from "./feed.ts";
import { Generator } from "./generator.ts";
import type { Job } from "./run.ts";

let folder: string;
let generator: Generator;
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "feed-"));
  generator = new Generator();
});

afterEach(async () => {
  await generator.close();
  server?.closeAllConnections();
  if (server?.listening) await once(server.close(), "close");
  rmSync(folder, { recursive: true });
});

async function serve(listener: RequestListener): Promise<number> {
  server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function* requests(count: number): Iterable<HttpRequest> {
  for (let i = 0; i < count; i += 1) {
    const body = JSON.stringify({ userId: `ü-${i}` });
    yield { method: "POST", path: `/claims?${i}`, headers: { "content-type": "application/json" }, body };
  }
}

function job(port: number, count: number, rest: Partial<Job> = {}): Job {
  const feed = join(folder, "feed");
  writeFeed(feed, `127.0.0.1:${port}`, requests(count));
  const load = { connections: 16, repeat: false, warmUpMs: 0, durationMs: 20_000, watch: [] };
  return { host: "127.0.0.1", port, feed, ...load, ...rest };
}

test("sends each request of the feed once and counts the answers by status", async () => {
  const bodies: string[] = [];
  const port = await serve(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    bodies.push(body);
    const status = request.url?.endsWith("7") ? 409 : 201;
    response.writeHead(status, { "content-type": "application/json", "Content-Length": body.length + 2 });
    response.end(body.length === 0 ? "" : JSON.stringify("x".repeat(body.length)));
  });
  const sample = await generator.run(job(port, 1_000, { watch: [process.pid] }));
  expect(bodies).toHaveLength(1_000);
  expect(new Set(bodies).size).toBe(1_000);
  expect(sample).toMatchObject({ allStatuses: { 201: 900, 409: 100 }, sent: 1_000, cut: 0, exhausted: true });
  expect(sample.p50Ms).toBeGreaterThan(0);
  expect(sample.p99Ms).toBeGreaterThanOrEqual(sample.p50Ms);
  expect(sample.watchedCpuSeconds[0]).toBeGreaterThan(0);
});

test("measures a time after a warm-up, starting the feed over", async () => {
  const port = await serve((_, response) => void response.writeHead(200, { "content-length": 2 }).end("{}"));
  const sample = await generator.run(job(port, 10, { repeat: true, warmUpMs: 500, durationMs: 300 }));
  expect(sample.exhausted).toBe(false);
  expect(sample.seconds).toBeCloseTo(0.3, 1);
  expect(sample.perSecond).toBeCloseTo((sample.statuses[200] ?? 0) / sample.seconds, 5);
  expect(sample.allStatuses[200]).toBe(sample.sent);
  expect(sample.allStatuses[200]).toBeGreaterThan(sample.statuses[200] ?? 0);
});

test("in an open model requests arrive at their rate, and are turned away where no connection is free", async () => {
  let underWay = 0;
  const port = await serve((_, response) => {
    underWay += 1;
    const status = underWay % 2 === 0 ? 503 : 201;
    setTimeout(() => void response.writeHead(status, { "content-length": 0 }).end(), status === 503 ? 200 : 20);
  });
  const open = { arrivalsPerSecond: 500, connections: 4, latencyOfStatus: 201 };
  const sample = await generator.run(job(port, 10_000, { ...open, durationMs: 1_000 }));
  expect(sample.arrived).toBeGreaterThan(400);
  expect(sample.arrived).toBeLessThan(600);
  expect(sample.turnedAway).toBeGreaterThan(300);
  expect(Math.abs(sample.sent + sample.turnedAway - sample.arrived)).toBeLessThan(20);
  expect(sample.p50Ms).toBeGreaterThan(15);
  expect(sample.p99Ms).toBeLessThan(150);
});

test("a pipelined connection takes as many requests as told before their answers, and counts each by its own", async () => {
  let most = 0;
  const waiting: (() => void)[] = [];
  const port = await serve((_, response) => {
    waiting.push(() => void response.writeHead(201, { "content-length": 3 }).end("abc"));
    most = Math.max(most, waiting.length);
    if (waiting.length === 1) setTimeout(() => waiting.splice(0).forEach((answer) => void answer()), 50);
  });
  const open = { arrivalsPerSecond: 1_000, connections: 2, pipelined: 8, durationMs: 1_000 };
  const sample = await generator.run(job(port, 10_000, open));
  expect(most).toBeGreaterThan(8);
  expect(most).toBeLessThanOrEqual(16);
  expect(sample.allStatuses).toEqual({ 201: sample.sent });
  expect(sample.turnedAway).toBeGreaterThan(100);
  expect(Math.abs(sample.sent + sample.turnedAway - sample.arrived)).toBeLessThan(20);
});

test("puts answers together that come in parts", async () => {
  const port = await serve((_, response) => {
    response.socket?.write("HTTP/1.1 200 OK\r\ncontent-le");
    setImmediate(() => {
      response.socket?.write("ngth: 4\r\n\r\n12");
      setImmediate(() => response.socket?.write("34"));
    });
  });
  // The server's own HTTP machinery waits for each response, so that a connection serves one request.
  const sample = await generator.run(job(port, 16));
  expect(sample.allStatuses).toEqual({ 200: 16 });
});

test("counts what was cut off and goes on over a new connection", async () => {
  const port = await serve((request, response) => {
    if (request.url === "/claims?3") request.socket.destroy();
    else response.writeHead(200, { "content-length": 0 }).end();
  });
  const sample = await generator.run(job(port, 200, { connections: 2 }));
  expect(sample).toMatchObject({ allStatuses: { 200: 199 }, cut: 1, sent: 200 });
});

test("refuses to measure a chunked answer", async () => {
  const port = await serve((_, response) => {
    response.write("a");
    response.end("b");
  });
  await expect(generator.run(job(port, 10))).rejects.toThrow("no content-length");
});

test("a feed reads back as written, and a feed that is cut off is refused", () => {
  const feed = join(folder, "feed");
  expect(writeFeed(feed, "h:1", requests(3))).toBe(3);
  const read = readFeed(feed).map(String);
  expect(read[1]).toBe(
    'POST /claims?1 HTTP/1.1\r\nhost: h:1\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"userId":"ü-1"}'.replace(
      "length: 16",
      "length: 17",
    ),
  );
  writeFileSync(feed, Buffer.from([9, 0, 0, 0, 1]));
  expect(() => readFeed(feed)).toThrow("cut off");
});
