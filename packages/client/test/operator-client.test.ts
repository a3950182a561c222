import { afterEach, beforeEach, expect, test } from "vitest";
import { OperatorClient, type OperatorClientOptions } from "../src/index.ts";
import { type Answer, fakeService, problem } from "./fake-service.ts";

let disposables: AsyncDisposableStack;
beforeEach(() => {
  disposables = new AsyncDisposableStack();
});
afterEach(() => disposables.disposeAsync());

async function start(answers: Answer[], more: Partial<OperatorClientOptions> = {}) {
  const service = disposables.use(await fakeService(answers));
  const client = new OperatorClient({ baseUrl: service.url, token: "t", backOffMs: 5, backOffMaxMs: 10, ...more });
  disposables.defer(() => client.close());
  return { service, client };
}

test("every call goes where API.md says, with token and If-Match", async () => {
  const { service, client } = await start([{ body: { items: [], nextCursor: null }, headers: { etag: '"2"' } }]);
  const body = { name: "n", startsAt: "a", endsAt: "b", budget: { amount: 1, currency: "CNY" } };
  expect(await client.campaigns.create(body)).toMatchObject({ ok: true, etag: '"2"' });
  await client.campaigns.get("c/1");
  await client.templates.change("t", '"1"', { name: "m", scope: null });
  await client.campaigns.replace("c", '"1"', body);
  await client.batches.act("b", "submit", '"1"');
  await client.batches.act("b", "reject", '"1"', { reason: "no" });
  await client.batches.deactivate("b", '"1"', { issued: "revoke" });
  await client.batches.changeStock("b", '"1"', { from: 1, to: 2, reason: "r" });
  await client.batches.stats("b");
  await client.deactivateCoupon("C1", { reason: "r" });
  for await (const _ of client.batches.list({ limit: 10 }));
  const made = service.seen.map(({ method, url, body: sent, headers }) => [
    method,
    url.replace("/ops/v1/", ""),
    headers["if-match"],
    sent === "" ? undefined : JSON.parse(sent),
  ]);
  expect(made).toEqual([
    ["POST", "campaigns", undefined, body],
    ["GET", "campaigns/c%2F1", undefined, undefined],
    ["PATCH", "templates/t", '"1"', { name: "m", scope: null }],
    ["PUT", "campaigns/c", '"1"', body],
    ["POST", "batches/b/submit", '"1"', undefined],
    ["POST", "batches/b/reject", '"1"', { reason: "no" }],
    ["POST", "batches/b/deactivate", '"1"', { issued: "revoke" }],
    ["POST", "batches/b/stock-changes", '"1"', { from: 1, to: 2, reason: "r" }],
    ["GET", "batches/b/stats", undefined, undefined],
    ["POST", "coupons/C1/deactivate", undefined, { reason: "r" }],
    ["GET", "batches?limit=10", undefined, undefined],
  ]);
  expect(new Set(service.seen.map(({ headers }) => headers.authorization))).toEqual(new Set(["Bearer t"]));
});

test("a token is asked for anew for each attempt", async () => {
  let asked = 0;
  const token = async () => `t${++asked}`;
  const { service, client } = await start([problem("overloaded", 503), { body: {} }], { token });
  await client.batches.get("b");
  expect(service.seen.map(({ headers }) => headers.authorization)).toEqual(["Bearer t1", "Bearer t2"]);
});

test("reads are repeated after a lost answer, changes are not", async () => {
  const { service, client } = await start([{ cut: true }, { body: {} }, { cut: true }, { body: {} }]);
  expect(await client.batches.get("b")).toMatchObject({ ok: true, attempts: 2 });
  expect(await client.batches.act("b", "start", '"1"')).toMatchObject({
    outcome: "unknown",
    reason: "network",
    attempts: 1,
  });
  expect(service.seen).toHaveLength(3);
});

test("a change that was turned away undone is repeated", async () => {
  const { client } = await start([problem("overloaded", 503), { body: {} }]);
  expect(await client.batches.act("b", "pause", '"1"')).toMatchObject({ ok: true, attempts: 2 });
});

test("a version that has moved on is a refusal", async () => {
  const { client } = await start([problem("precondition_failed", 412)]);
  expect(await client.batches.act("b", "pause", '"1"')).toMatchObject({ refusal: { code: "precondition_failed" } });
});
