import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { eventually } from "@coupon/testkit";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { buildService, DetachedRefusal, listen, type Service } from "../src/index.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const it of open.splice(0).reverse()) await it.close();
});

/** A service that refuses every request to `/refused`, and answers `/served`. */
async function start() {
  const app: Service = buildService({ name: "sample", version: "1.2.3", logger: pino({ level: "silent" }) });
  const refusals: DetachedRefusal[] = [];
  const requests: WeakRef<IncomingMessage>[] = [];
  app.route({
    method: ["GET", "POST"],
    url: "/refused",
    onRequest: (request, reply) => {
      requests.push(new WeakRef(request.raw));
      refusals.push(new DetachedRefusal(request, reply, "overloaded"));
    },
    handler: async () => ({ never: true }),
  });
  app.get("/served", async () => ({ served: true }));
  let release = (_answer: object) => {};
  app.get(
    "/slow",
    () =>
      new Promise<object>((resolve) => {
        release = resolve;
      }),
  );
  const { port } = new URL(await listen(app, { host: "127.0.0.1", port: 0 }));
  open.push(app);
  const client = new Client(Number(port));
  open.push(client);
  const refused = async (count: number) => {
    await eventually(async () => refusals.length >= count);
    return refusals[count - 1] as DetachedRefusal;
  };
  return { app, client, refused, requests, release: () => release({ slow: true }) };
}

/** A connection of which every byte is seen. */
class Client {
  text = "";
  isOver = false;
  readonly socket: Socket;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.setEncoding("latin1").on("data", (part: string) => {
      this.text += part;
    });
    this.socket
      .on("error", () => undefined)
      .on("close", () => {
        this.isOver = true;
      });
  }

  ask(path: string, more = "", method = "GET", version = "1.1"): string {
    return `${method} ${path} HTTP/${version}\r\nhost: h\r\n${more}\r\n`;
  }

  /** Waits until so many answers are there, and gives their heads' first lines. */
  async answers(count: number): Promise<string[]> {
    return eventually(async () => {
      const lines = this.text.match(/HTTP\/1\.1 \d+/g) ?? [];
      return lines.length >= count && this.text.endsWith("}") ? lines : false;
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

const refusedCount = async (app: Service) =>
  /http_request_duration_seconds_count\{method="[A-Z,]*",route="\/refused",status="503",[^}]*\} (\d+)/.exec(
    await app.metrics.registry.metrics(),
  )?.[1];

test("is answered only when told, to the letter, and the connection serves on", async () => {
  const { app, client, refused } = await start();
  const trace = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  client.socket.write(client.ask("/refused", `request-id: mine\r\ntraceparent: ${trace}\r\n`));
  const refusal = await refused(1);
  expect(client.text).toBe("");
  refusal.send();
  refusal.send();
  expect(await client.answers(1)).toEqual(["HTTP/1.1 503"]);
  const [head = "", body = ""] = client.text.split("\r\n\r\n");
  expect(head.split("\r\n").map((line) => line.replace(/(date: ).*/i, "$1now"))).toEqual([
    "HTTP/1.1 503 Service Unavailable",
    "content-type: application/problem+json; charset=utf-8",
    `content-length: ${body.length}`,
    "retry-after: 1",
    "request-id: mine",
    `traceparent: ${trace}`,
    "date: now",
    "connection: keep-alive",
    "keep-alive: timeout=72",
  ]);
  expect(Date.parse(/date: (.*)/.exec(head)?.[1] ?? "")).toBeGreaterThan(Date.now() - 5_000);
  expect(JSON.parse(body)).toMatchObject({ code: "overloaded", status: 503, outcome: "none", retryAfterSeconds: 1 });
  client.socket.write(client.ask("/served"));
  expect(await client.answers(2)).toEqual(["HTTP/1.1 503", "HTTP/1.1 200"]);
  expect(await refusedCount(app)).toBe("1");
});

test("while it waits nothing is left of the request", async () => {
  const { client, refused, requests } = await start();
  client.socket.write(client.ask("/refused", "content-length: 4\r\n", "POST"));
  const refusal = await refused(1);
  client.socket.write("body");
  await eventually(async () => {
    collectGarbage();
    return requests[0]?.deref() === undefined;
  });
  expect(client.text).toBe("");
  refusal.send();
  await client.answers(1);
  client.socket.write(client.ask("/served"));
  expect(await client.answers(2)).toEqual(["HTTP/1.1 503", "HTTP/1.1 200"]);
});

test("is sent before the answer to a request that came after it on its connection", async () => {
  const { client } = await start();
  client.socket.write(client.ask("/refused") + client.ask("/served"));
  expect(await client.answers(2)).toEqual(["HTTP/1.1 503", "HTTP/1.1 200"]);
  client.socket.write(client.ask("/refused") + client.ask("/nowhere"));
  expect(await client.answers(4)).toEqual(["HTTP/1.1 503", "HTTP/1.1 200", "HTTP/1.1 503", "HTTP/1.1 404"]);
});

test("waits its turn behind an answer that is not there yet", async () => {
  const { client, refused, release } = await start();
  client.socket.write(client.ask("/slow") + client.ask("/refused"));
  (await refused(1)).send();
  release();
  expect(await client.answers(2)).toEqual(["HTTP/1.1 200", "HTTP/1.1 503"]);
});

test("whoever is gone costs nothing", async () => {
  const { app, client, refused } = await start();
  client.socket.write(client.ask("/refused"));
  const refusal = await refused(1);
  client.close();
  await eventually(async () => (await count(app)) === 0);
  refusal.send();
  expect(await refusedCount(app)).toBeUndefined();
});

test("says goodbye while the service drains", async () => {
  const { app, client, refused } = await start();
  client.socket.write(client.ask("/refused"));
  const refusal = await refused(1);
  app.lifecycle.draining = true;
  refusal.send();
  await eventually(async () => client.isOver);
  expect(client.text).toMatch(/^HTTP\/1\.1 503 [\s\S]*\r\nconnection: close\r\n[\s\S]*\}$/);
});

test.each([
  ["HEAD", "", "1.1", /^HTTP\/1\.1 503 [^{]*\r\n\r\n$/],
  ["GET", "connection: close\r\n", "1.1", /^HTTP\/1\.1 503 [\s\S]*\r\nconnection: close\r\n[\s\S]*\}$/i],
  ["GET", "", "1.0", /^HTTP\/1\.1 503 [\s\S]*\r\nconnection: close\r\n[\s\S]*\}$/i],
])("answers %s %s HTTP/%s as HTTP asks for", async (method, more, version, expected) => {
  const { client, refused } = await start();
  client.socket.write(client.ask("/refused", more, method, version));
  (await refused(1)).send();
  await eventually(async () => expected.test(client.text));
});

async function count(app: Service): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.getConnections((error, found) => (error ? reject(error) : resolve(found)));
  });
}

test("bytes that are no HTTP are answered after it", async () => {
  const { client, refused } = await start();
  client.socket.write(client.ask("/refused"));
  await refused(1);
  client.socket.write("\x16 no HTTP\r\n\r\n");
  expect(await client.answers(2)).toEqual(["HTTP/1.1 503", "HTTP/1.1 400"]);
});
