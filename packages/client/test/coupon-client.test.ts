import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CallFailed, CouponClient, type CouponClientOptions, expectValue } from "../src/index.ts";
import { type Answer, type FakeService, fakeService, problem, type Seen } from "./fake-service.ts";

const secret = Buffer.alloc(32, 3).toString("base64");
const coupon = { couponId: "C1", batchId: "b", userId: "u", state: "effective" };
let disposables: AsyncDisposableStack;
beforeEach(() => {
  disposables = new AsyncDisposableStack();
});
afterEach(() => disposables.disposeAsync());

async function start(
  answers: Answer[] | ((seen: Seen, index: number) => Answer),
  more: Partial<CouponClientOptions> = {},
): Promise<{ service: FakeService; client: CouponClient }> {
  const service = disposables.use(await fakeService(answers));
  const options = { keyId: "live_a", secret, backOffMs: 5, backOffMaxMs: 20, ...more };
  const client = new CouponClient({ baseUrl: service.url, ...options });
  disposables.defer(() => client.close());
  return { service, client };
}

describe("a claim", () => {
  test("is signed, carries its key and gives the coupon", async () => {
    const headers = { "log-position": "p1-5" };
    const { service, client } = await start([{ status: 201, body: coupon, headers }]);
    const result = await client.claim("b 1", { userId: "u", idempotencyKey: "k-1", context: { ip: "1.2.3.4" } });
    expect(result).toMatchObject({
      ok: true,
      value: coupon,
      replayed: false,
      logPosition: "p1-5",
      requestId: "r-1",
      attempts: 1,
      idempotencyKey: "k-1",
    });
    const [request] = service.seen as [Seen];
    expect([request.method, request.url]).toEqual(["POST", "/v1/batches/b%201/claims"]);
    expect(JSON.parse(request.body)).toEqual({ userId: "u", context: { ip: "1.2.3.4" } });
    expect(request.headers["idempotency-key"]).toBe("k-1");
    expect(request.headers["content-type"]).toBe("application/json");
    const digest = createHash("sha256").update(request.body).digest("base64");
    expect(request.headers["content-digest"]).toBe(`sha-256=:${digest}:`);
    expect(request.headers["signature-input"]).toMatch(
      /^sig1=\("@method" "@path" "@query" "content-digest" "idempotency-key"\);created=\d+;keyid="live_a";alg="hmac-sha256"$/,
    );
  });

  test("makes a key where none is given, keeps it over all attempts and tells it", async () => {
    const answers = [
      problem("overloaded", 503),
      { cut: true } as const,
      { status: 200, body: coupon, headers: { "idempotent-replayed": "true" } },
    ];
    const { service, client } = await start(answers);
    const result = await client.claim("b", { userId: "u" });
    expect(result).toMatchObject({ ok: true, replayed: true, attempts: 3 });
    const keys = new Set(service.seen.map(({ headers }) => headers["idempotency-key"]));
    expect([...keys]).toEqual([result.idempotencyKey]);
    expect(new Set(service.seen.map(({ body }) => body)).size).toBe(1);
    const other = await client.claim("b", { userId: "u" });
    expect(other.idempotencyKey).not.toBe(result.idempotencyKey);
  });
});

describe("refusals", () => {
  test("that will not pass are returned at once, typed", async () => {
    const limit = { name: "stock", scope: "batch", max: 5, used: 5 };
    const { service, client } = await start([problem("stock_exhausted", 409, { limit })]);
    const result = await client.claim("b", { userId: "u" });
    expect(result).toMatchObject({
      ok: false,
      outcome: "none",
      refusal: { code: "stock_exhausted", limit },
      attempts: 1,
    });
    expect(service.seen).toHaveLength(1);
  });

  test("that may pass are tried again, never before Retry-After", async () => {
    const { client } = await start([problem("caller_rate_exceeded", 429, { retryAfterSeconds: 1 }), { body: coupon }]);
    const startedMs = performance.now();
    expect(await client.getCoupon("C1", "u")).toMatchObject({ ok: true, attempts: 2 });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_000);
  });

  test("a Retry-After header alone is honoured, also of a gateway that knows no problems", async () => {
    const bare = {
      status: 429,
      headers: { "retry-after": "1", "content-type": "text/html" },
      text: "<h1>slow down</h1>",
    };
    const { client } = await start([bare, { body: coupon }]);
    const startedMs = performance.now();
    expect(await client.getCoupon("C1", "u")).toMatchObject({ ok: true, attempts: 2 });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_000);
  });

  test("a 409 that may pass some day is the caller's to wait for", async () => {
    const { service, client } = await start([problem("batch_paused", 409, { retryable: true })]);
    expect(await client.claim("b", { userId: "u" })).toMatchObject({ ok: false, refusal: { code: "batch_paused" } });
    expect(service.seen).toHaveLength(1);
  });

  test("end after attemptsMax, with the last refusal", async () => {
    const { service, client } = await start([problem("overloaded", 503)], { attemptsMax: 3 });
    expect(await client.getBatch("b")).toMatchObject({ outcome: "none", refusal: { code: "overloaded" }, attempts: 3 });
    expect(service.seen).toHaveLength(3);
  });

  test("end before deadlineMs, without a wait that would pass it", async () => {
    const { service, client } = await start([problem("overloaded", 503, { retryAfterSeconds: 60 })], {
      deadlineMs: 2_000,
    });
    const startedMs = performance.now();
    expect(await client.getBatch("b")).toMatchObject({ outcome: "none", attempts: 1 });
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    expect(service.seen).toHaveLength(1);
  });

  test("a code that this version does not know is passed on", async () => {
    const { client } = await start([problem("moon_in_wrong_phase", 409)]);
    expect(await client.claim("b", { userId: "u" })).toMatchObject({ refusal: { code: "moon_in_wrong_phase" } });
  });
});

describe("an outcome that is unknown", () => {
  test.each<[string, Answer, string]>([
    ["a cut connection", { cut: true }, "network"],
    ["no answer", { hang: true }, "timed_out"],
    ["half an answer", { status: 201, text: '{"couponId":' }, "bad_answer"],
    ["a 502 of a gateway", { status: 502, text: "<h1>bad gateway</h1>" }, "bad_answer"],
    ["a refusal that says so", problem("log_unavailable", 503, { outcome: "unknown" }), "refused"],
    ["a refusal that does not say", problem("new_error", 500, { outcome: undefined }), "refused"],
  ])("after %s is its own type, once attempts are used up", async (_name, answer, reason) => {
    const { service, client } = await start([answer], { attemptsMax: 2, timeoutMs: answer.hang ? 200 : 10_000 });
    const result = await client.claim("b", { userId: "u", idempotencyKey: "k" });
    expect(result).toMatchObject({ ok: false, outcome: "unknown", reason, attempts: 2, idempotencyKey: "k" });
    expect(service.seen).toHaveLength(2);
  });

  test("stays unknown when a later attempt is turned away unjudged", async () => {
    for (const later of [problem("overloaded", 503), problem("key_revoked", 401), problem("batch_not_found", 404)]) {
      const { client } = await start([{ cut: true }, later], { attemptsMax: 2 });
      const code = (later.body as { code: string }).code;
      expect(await client.claim("b", { userId: "u" })).toMatchObject({ outcome: "unknown", refusal: { code } });
    }
  });

  test("is settled by a refusal that looked at the record", async () => {
    for (const later of [problem("stock_exhausted", 409), problem("idempotency_conflict", 422)]) {
      const { client } = await start([{ cut: true }, later]);
      expect(await client.claim("b", { userId: "u" })).toMatchObject({ outcome: "none" });
    }
  });

  test("a service that is not there", async () => {
    const { service, client } = await start([{}], { attemptsMax: 2 });
    await service[Symbol.asyncDispose]();
    expect(await client.getOrder("o")).toMatchObject({ outcome: "unknown", reason: "network", attempts: 2 });
  });

  test.each<[string, Answer]>([
    ["a wait", problem("overloaded", 503, { retryAfterSeconds: 20 })],
    ["an attempt", { hang: true }],
  ])("a call that is aborted in %s rejects at once", async (_name, answer) => {
    const { client } = await start([answer]);
    const startedMs = performance.now();
    await expect(client.getBatch("b", { signal: AbortSignal.timeout(50) })).rejects.toThrow(/timeout|aborted/);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
  });
});

test("every call goes where API.md says", async () => {
  const { service, client } = await start([{ body: {} }]);
  const order = { amount: 1, currency: "CNY", lines: [{ lineId: "1", productId: "p", quantity: 1, unitAmount: 1 }] };
  const couponIds = ["C1"];
  await client.getBatch("b");
  await client.getCoupon("C1", "u@x");
  await client.getCouponPage("..", { state: "effective", batchId: "b", sort: "validUntil", limit: 5, cursor: "a+b" });
  await client.lock("o", { userId: "u", couponIds, order, holdSeconds: 60 });
  await client.redeem("o", { userId: "u", couponIds });
  await client.redeemInOneStep("o", { userId: "u", couponIds, order });
  await client.release("o", { userId: "u", couponIds });
  await client.reverse("o", { all: true, reason: "refund", idempotencyKey: "r" });
  await client.getOrder("o");
  expect(service.seen.map(({ method, url, body }) => [method, url, body === "" ? null : JSON.parse(body)])).toEqual([
    ["GET", "/v1/batches/b", null],
    ["GET", "/v1/coupons/C1?userId=u%40x", null],
    ["GET", "/v1/users/../coupons?state=effective&batchId=b&sort=validUntil&limit=5&cursor=a%2Bb", null],
    ["POST", "/v1/orders/o/lock", { userId: "u", couponIds, order, holdSeconds: 60 }],
    ["POST", "/v1/orders/o/redeem", { userId: "u", couponIds }],
    ["POST", "/v1/orders/o/redeem", { userId: "u", couponIds, order }],
    ["POST", "/v1/orders/o/release", { userId: "u", couponIds }],
    ["POST", "/v1/orders/o/reversals", { all: true, reason: "refund" }],
    ["GET", "/v1/orders/o", null],
  ]);
  expect(service.seen[7]?.headers["idempotency-key"]).toBe("r");
  expect(service.seen[4]?.headers["idempotency-key"]).toBeUndefined();
});

test("orders and reads go to their own origins where these are given", async () => {
  const redemption = disposables.use(await fakeService([{ body: {} }]));
  const wallet = disposables.use(await fakeService([{ body: {} }]));
  const { service, client } = await start([{ body: {} }], { redemptionUrl: redemption.url, walletUrl: wallet.url });
  await client.getBatch("b");
  await client.release("o", { userId: "u", couponIds: ["C1"] });
  await client.getCoupon("C1", "u");
  expect([service, redemption, wallet].map(({ seen }) => seen.length)).toEqual([1, 1, 1]);
});

test("listing walks through the pages as they are needed", async () => {
  const pages = [
    { items: [1, 2], nextCursor: "c1" },
    { items: [3], nextCursor: "c2" },
    { items: [4], nextCursor: null },
  ];
  const { service, client } = await start(({ url }) => ({ body: pages[Number(/cursor=c(\d)/.exec(url)?.[1] ?? 0)] }));
  const iterator = client.listCoupons("u", { limit: 2 });
  expect((await iterator.next()).value).toBe(1);
  expect(service.seen).toHaveLength(1);
  const rest: unknown[] = [];
  for await (const item of iterator) rest.push(item);
  expect(rest).toEqual([2, 3, 4]);
  expect(service.seen).toHaveLength(3);
});

test("a page that is refused throws what it was refused with", async () => {
  const { client } = await start([problem("cursor_invalid", 400)]);
  const failure = await client
    .listCoupons("u")
    .next()
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CallFailed);
  expect((failure as CallFailed).result).toMatchObject({ refusal: { code: "cursor_invalid" } });
  await expect(client.getBatch("b").then(expectValue)).rejects.toThrow(/cursor_invalid/);
});

test("a session's reads wait for its changes, and other reads do not", async () => {
  let changes = 0;
  const { service, client } = await start(({ method }) =>
    method === "POST" ? { body: coupon, headers: { "log-position": `p${++changes}-1` } } : { body: coupon },
  );
  const session = client.session();
  await session.claim("b", { userId: "u" });
  await session.claim("b", { userId: "u" });
  await client.getCoupon("C1", "u");
  await session.getCoupon("C1", "u");
  await session.getCoupon("C1", "u");
  const reads = service.seen.filter(({ method }) => method === "GET").map(({ headers }) => headers["read-after"]);
  expect(reads).toEqual([undefined, "p1-1,p2-1", undefined]);
});

test.each([
  ["a base URL with a path", { baseUrl: "https://x.example/api" }],
  ["a secret that is not base64", { secret: "not base64!" }],
  ["a secret without padding", { secret: "YWE" }],
  ["an empty secret", { secret: "" }],
])("%s is a TypeError", (_name, more) => {
  expect(() => new CouponClient({ baseUrl: "https://x.example", keyId: "live_a", secret, ...more })).toThrow(TypeError);
});
