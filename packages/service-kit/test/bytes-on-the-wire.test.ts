import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listen } from "../src/index.ts";
import { sampleService } from "./sample-service.ts";
import { keyId, signedHeaders } from "./signed.ts";

const { app, logged } = sampleService();
let base = "";
beforeAll(async () => {
  base = await listen(app, { host: "127.0.0.1", port: 0 });
});
afterAll(() => app.close());

const claims = "/v1/batches/b-1/claims";
const good = '{"userId":"user-1"}';

/** Sends text as it is and returns all that comes back until the server hangs up. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(base).port), "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.setTimeout(5_000, () => reject(new Error(`no end after: ${answer}`)));
    socket.on("data", (chunk) => {
      answer += chunk.toString();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
  });
}

/** A claim that holds; `more`: further header lines, each after a line break. */
function goodClaim(more = ""): string {
  const headers = signedHeaders({ method: "POST", url: claims, body: good, idempotencyKey: "k" });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return (
    `POST ${claims} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${lines.join("")}` +
    `Content-Length: ${good.length}${more}\r\n\r\n${good}`
  );
}

test.each([
  ["that are no HTTP", "\x16\x03\x01\x02\x00\x01\r\n\r\n"],
  ["with a header beyond all bounds", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(70_000)}\r\n\r\n`],
  ["with two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"],
  [
    "with a length and chunks",
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
])("%s: a problem, and the connection is closed", async (_name, text) => {
  const answer = await raw(text);
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer).toContain("application/problem+json");
  expect(answer).toContain('"code":"request_invalid"');
  expect(answer).toMatch(/\r\nrequest-id: [\w-]+\r\n/i);
});

test("what comes after a request does not get ahead of its answer", async () => {
  const answer = await raw(`${goodClaim()}\x16 no HTTP\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1.1 201 /);
  expect(answer.match(/HTTP\/1.1 /g)).toHaveLength(1);
});

test("a body whose chunks are broken: a problem, and the connection is closed", async () => {
  const head = `POST ${claims} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked`;
  const answer = await raw(`${head}\r\n\r\n1\r\n{\r\nno length\r\n`);
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer).toContain('"code":"request_invalid"');
});

test.each(["QUERY", "PROPFIND", "TRACE"])("%s, which no route takes: refused as any other method", async (method) => {
  const ask = (path: string) => raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  expect(await ask("/healthz")).toMatch(/^HTTP\/1.1 405 .*"code":"method_not_allowed"/s);
  expect(await ask("/nothing")).toMatch(/^HTTP\/1.1 404 .*"code":"route_not_found"/s);
  expect(logged()).not.toContain(`"method":"${method}"`);
});

test("without a Host: a problem, too", async () => {
  const answer = await raw("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(answer).toContain('"code":"request_invalid"');
  expect(answer).toMatch(/\r\nrequest-id: [\w-]+\r\n/i);
});

test.each([
  ["an expectation of our own", "Expect: nothing"],
  ["a protocol to change to", "Upgrade: websocket\r\nConnection: Upgrade"],
])("with %s: answered like any other", async (_name, header) => {
  const answer = await raw(`GET /healthz HTTP/1.1\r\nHost: x\r\n${header}\r\nConnection: close\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
  expect(answer).toMatch(/\r\nrequest-id: [\w-]+\r\n/i);
});

test("two that come one after another are told apart by their Request-Id", async () => {
  const ids = await Promise.all(
    ["\x16\r\n\r\n", "\x16\r\n\r\n"].map(async (text) => /request-id: (\S+)/i.exec(await raw(text))?.[1]),
  );
  expect(new Set(ids).size).toBe(2);
});

test("a body that comes in pieces is one body", async () => {
  const headers = { ...signedHeaders({ method: "POST", url: claims, body: good, idempotencyKey: "k" }) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const pieces = [...good].map((piece) => `1\r\n${piece}\r\n`);
  const answer = await raw(
    `POST ${claims} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `${lines.join("")}Transfer-Encoding: chunked\r\n\r\n${pieces.join("")}0\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1.1 201 /);
});

test("a caller that hangs up in the middle of a body harms nobody", async () => {
  const socket = connect(Number(new URL(base).port), "127.0.0.1");
  socket.write(`POST ${claims} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`);
  const [request] = await once(app.server, "request");
  socket.destroy();
  await new Promise((resolve) => request.on("close", resolve));
  expect(await raw(goodClaim("\r\nConnection: close"))).toMatch(/^HTTP\/1.1 201 /);
});

test("a body of 100 MiB is not awaited", async () => {
  const head = `POST ${claims} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n`;
  const answer = await raw(head);
  expect(answer).toMatch(/^HTTP\/1.1 401 /);
});

test("chunks without end are cut off at eight times the limit", async () => {
  const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
  const head = `POST ${claims} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const answer = await raw(head + chunk.repeat(129));
  expect(answer).toMatch(/^HTTP\/1.1 401 /);
});

test("a duplicated signature header: signature_invalid", async () => {
  const headers = signedHeaders({ method: "GET", url: "/v1/users/u/coupons", keyId });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const answer = await raw(
    `GET /v1/users/u/coupons HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${lines.join("\r\n")}\r\nsignature: sig1=:AAAA:\r\n\r\n`,
  );
  expect(answer).toContain('"code":"signature_invalid"');
});
