import { connect } from "node:net";
import { createFaultProxy, eventually, type FaultProxy } from "@coupon/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SignedCaller } from "./support/signed-caller.ts";
import { type Running, World } from "./support/world.ts";

const CLAIMERS = 120;
const CLAIMS_EACH = 6;
const LIMIT_MAX = 60;

const world = new World();
const { caller } = world;
let proxy: FaultProxy;
let issuing: Running;
let batchId = "";

/** Redis is reached over a slow wire and the limit is small, so that few requests are already too many. */
beforeAll(async () => {
  const redis = new URL(process.env.REDIS_URL ?? "");
  proxy = await createFaultProxy({ host: redis.hostname, port: Number(redis.port) });
  redis.host = `${proxy.host}:${proxy.port}`;
  await world.start();
  issuing = await world.issuing({
    REDIS_URL: redis.toString().replace(/\/$/, ""),
    LEASE_TTL_MS: "5000",
    OVERLOAD_LIMIT_INITIAL: "20",
    OVERLOAD_LIMIT_MIN: "20",
    OVERLOAD_LIMIT_MAX: String(LIMIT_MAX),
    OVERLOAD_HOLD_MS_MAX: "200",
  });
  ({ batchId } = await world.publishBatch({ stock: { total: 100_000, perUser: 2 } }));
  await eventually(async () => (await caller.claim(batchId, "first", "first")).status < 300);
});
afterAll(async () => {
  await world.close();
  await proxy.close();
});

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${issuing.baseUrl}/metrics`)).text();
  const line = text.split("\n").find((it) => it.startsWith(name));
  return Number(line?.slice(line.lastIndexOf(" ") + 1) ?? Number.NaN);
}

const refusedOf = (loadClass: string) => metric(`issuing_admission_refused_total{class="${loadClass}"`);

const order = {
  ...{ amount: 10_000, currency: "CNY" },
  lines: [{ lineId: "1", productId: "p", quantity: 2, unitAmount: 5_000 }],
};

interface Bought {
  userId: string;
  couponId: string;
}

/** Each of a checkout's critical calls, and what precedes it for the same coupon. */
const critical = {
  redeem: { before: null, ask: (one: Bought, by = caller) => askOrder(by, "redeem", one, { order }) },
  release: {
    before: (one: Bought) => askOrder(caller, "lock", one, { order, holdSeconds: 3_600 }),
    ask: (one: Bought, by = caller) => askOrder(by, "release", one, {}),
  },
  reversal: {
    before: (one: Bought) => askOrder(caller, "redeem", one, { order }),
    ask: ({ userId, couponId }: Bought, by = caller) => {
      const wish = { couponIds: [couponId], all: true, reason: "test" };
      return by.call("POST", `/v1/orders/order-${userId}/reversals`, wish, { idempotencyKey: userId });
    },
  },
};

type Critical = keyof typeof critical;
const criticalKinds = Object.keys(critical) as Critical[];

function askOrder(by: SignedCaller, step: string, { userId, couponId }: Bought, more: object) {
  return by.call("POST", `/v1/orders/order-${userId}/${step}`, { userId, couponIds: [couponId], ...more });
}

/** Coupons that are ready for a critical call each. */
async function prepare(name: string, count: number): Promise<[Critical, Bought][]> {
  const ready: [Critical, Bought][] = [];
  for (let i = 0; i < count; i += 1) {
    for (const kind of criticalKinds) {
      const userId = `${name}-${kind}-${i}`;
      const { body } = await caller.claim(batchId, userId, "key");
      const bought = { userId, couponId: String(body.couponId) };
      const before = await critical[kind].before?.(bought);
      if (before !== undefined) expect(before.status).toBe(200);
      ready.push([kind, bought]);
    }
  }
  return ready;
}

/** Claims in a closed loop that pays no heed to `Retry-After`. */
async function claimAll(name: string, by = caller): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  for (let i = 0; i < CLAIMS_EACH; i += 1) {
    const { status, body, headers } = await by.claim(batchId, `${name}-${i}`, "key");
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status !== 503) continue;
    expect(body).toMatchObject({ code: "overloaded", retryable: true, outcome: "none" });
    expect(headers.get("retry-after")).toBe("1");
  }
  return statuses;
}

test("too many claims are refused while redemptions, releases and reversals pass, all bounded, and then it is as before", async () => {
  const ready = await prepare("buyer", 5);
  proxy.delay(40);
  const claims = Promise.all(Array.from({ length: CLAIMERS }, (_, i) => claimAll(`user-${i}`)));
  await eventually(async () => (await refusedOf("claims")) > 0);
  const passed: [Critical, number][] = [];
  const inFlight: number[] = [];
  const held: number[] = [];
  for (const [kind, bought] of ready) {
    passed.push([kind, (await critical[kind].ask(bought)).status]);
    inFlight.push(await metric("issuing_admission_in_flight"));
    held.push(await metric("issuing_admission_refusals_held"));
    expect((await fetch(`${issuing.baseUrl}/readyz`)).status).toBe(200);
  }
  const statuses = (await claims).flatMap((it) => [...it]);
  proxy.delay(0);
  const count = (wanted: number) => statuses.reduce((sum, [status, n]) => (status === wanted ? sum + n : sum), 0);
  expect(count(201) + count(503)).toBe(CLAIMERS * CLAIMS_EACH);
  expect(count(201)).toBeGreaterThan(100);
  expect(count(503)).toBe(await refusedOf("claims"));
  expect(passed).toEqual(ready.map(([kind]) => [kind, kind === "reversal" ? 201 : 200]));
  expect(await refusedOf("critical")).toBe(0);
  expect(Math.max(...inFlight)).toBeLessThanOrEqual(LIMIT_MAX);
  expect(Math.max(...held)).toBeGreaterThan(0);
  expect(Math.max(...held)).toBeLessThanOrEqual(CLAIMERS);
  expect(await metric("issuing_admission_in_flight")).toBe(0);
  expect(await metric("issuing_admission_refusals_held")).toBe(0);
  expect((await caller.claim(batchId, "afterwards", "key")).status).toBe(201);
});

test("it is refused before its signature is looked at, and the connection serves on", async () => {
  const headers = { "request-id": "mine-1", traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };
  proxy.delay(100);
  const claims = Promise.all(Array.from({ length: CLAIMERS }, (_, i) => caller.claim(batchId, `late-${i}`, "key")));
  const unsigned = await eventually(async () => {
    const answer = await fetch(`${issuing.baseUrl}/v1/batches/${batchId}`, { headers });
    return answer.status === 503 ? answer : false;
  });
  expect(Object.fromEntries(unsigned.headers)).toMatchObject({
    ...headers,
    "content-type": "application/problem+json; charset=utf-8",
    "retry-after": "1",
  });
  expect(await unsigned.json()).toMatchObject({ code: "overloaded" });
  await claims;
  proxy.delay(0);
  expect(
    await metric('http_request_duration_seconds_count{method="GET",route="/v1/batches/:batchId",status="503"'),
  ).toBe(await refusedOf("reads"));
  expect((await fetch(`${issuing.baseUrl}/v1/batches/${batchId}`)).status).toBe(401);
});

test("senders who go away in the middle of their body leave nothing behind", async () => {
  const { hostname, port } = new URL(issuing.baseUrl);
  const head = `POST /v1/batches/${batchId}/claims HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"user`;
  for (let i = 0; i < LIMIT_MAX; i += 1) {
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.write(head, () => socket.destroy()));
      socket.once("close", () => resolve());
    });
  }
  expect(await metric("issuing_admission_in_flight")).toBe(0);
  expect((await caller.claim(batchId, "after-them", "key")).status).toBe(201);
});

test("an owner refuses claims that other processes forward, too, and the critical calls among them pass", async () => {
  const front = await world.issuing({
    ISSUING_ROLES: "claims,orders",
    OVERLOAD_LIMIT_INITIAL: "4096",
    OVERLOAD_LIMIT_MIN: "4096",
  });
  const through = new SignedCaller(caller.callerId, caller.keyId, caller.secret);
  through.baseUrl = front.baseUrl;
  await eventually(async () => (await through.claim(batchId, "through", "key")).status < 300);
  const ready = await prepare("forwarded", 3);
  const before = await refusedOf("claims");
  proxy.delay(40);
  const claims = Promise.all(Array.from({ length: CLAIMERS }, (_, i) => claimAll(`through-${i}`, through)));
  await eventually(async () => (await refusedOf("claims")) > before);
  const inFlight: number[] = [];
  for (const [kind, bought] of ready) {
    expect([kind, (await critical[kind].ask(bought, through)).status]).toEqual([kind, kind === "reversal" ? 201 : 200]);
    inFlight.push(await metric("issuing_admission_in_flight"));
  }
  const statuses = (await claims).flatMap((it) => [...it]);
  proxy.delay(0);
  const refused = statuses.reduce((sum, [status, n]) => (status === 503 ? sum + n : sum), 0);
  expect(refused).toBe((await refusedOf("claims")) - before);
  expect(await refusedOf("critical")).toBe(0);
  expect(Math.max(...inFlight)).toBeLessThanOrEqual(LIMIT_MAX);
  expect(await metric("issuing_admission_in_flight")).toBe(0);
  expect((await through.claim(batchId, "through-afterwards", "key")).status).toBe(201);
  await front.close();
});

test("a large request of grants counts once at the owner that it is forwarded to", async () => {
  const front = await world.issuing({ ISSUING_ROLES: "claims" });
  const through = new SignedCaller(caller.callerId, caller.keyId, caller.secret);
  through.baseUrl = front.baseUrl;
  await eventually(async () => (await through.claim(batchId, "grants", "key")).status < 300);
  const grants = Array.from({ length: 500 }, (_, i) => ({ idempotencyKey: `g${i}`, userId: `granted-${i}` }));
  const { status, body } = await through.call("POST", `/v1/batches/${batchId}/grants`, { grants });
  expect(status).toBe(200);
  const outcomes = body.outcomes as { outcome: string }[];
  expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(["issued"]));
  expect(await metric("issuing_admission_in_flight")).toBe(0);
  await front.close();
});
