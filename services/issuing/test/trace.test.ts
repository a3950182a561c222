import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { World } from "./support/world.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
const world = new World();
const asked: { path: string; headers: IncomingHttpHeaders }[] = [];
const ledger = createServer((request, response) => {
  asked.push({ path: request.url ?? "", headers: request.headers });
  const empty = { items: [], nextCursor: null, coupons: [], caughtUp: true };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(empty));
});

beforeAll(async () => {
  await new Promise<void>((resolve) => ledger.listen(0, "127.0.0.1", resolve));
  await world.start();
  await world.issuing({ LEDGER_URL: `http://127.0.0.1:${(ledger.address() as AddressInfo).port}` });
  await eventually(async () => (await world.caller.call("GET", "/v1/users/u/coupons")).status === 200);
});
afterAll(async () => {
  await world.close();
  ledger.closeAllConnections();
  await new Promise((resolve) => ledger.close(resolve));
});

test.each([
  ["GET", "/v1/users/u/coupons", undefined],
  ["GET", "/v1/orders/o", undefined],
  ["POST", "/v1/orders/o/reversals", { all: true, reason: "returned" }],
])("%s %s: the ledger is told the trace, under a parent of issuing's own", async (method, path, body) => {
  const before = asked.length;
  await world.caller.call(method, path, body, { headers, ...(body === undefined ? {} : { idempotencyKey: "k" }) });
  const sent = asked.slice(before).map((each) => each.headers.traceparent);
  expect(sent).toEqual([expect.stringMatching(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))]);
  expect(sent[0]).not.toBe(headers.traceparent);
});
