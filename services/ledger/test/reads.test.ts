import { encodeLogPosition } from "@coupon/events";
import { checkOpenApi, eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { couponIdIn, hour, iso, now, one, plain, startReadWorld, two } from "./support/read-world.ts";
import { batchOf, type World } from "./support/world.ts";

let world: World;
beforeAll(async () => {
  world = await startReadWorld();
});
afterAll(() => world.close());

const idOf = (index: number, serial: number) => couponIdIn(world, index, serial);

describe("GET /v1/coupons/{couponId}", () => {
  it("answers the Coupon of API.md, to the letter", async () => {
    const answer = await world.get(`/v1/coupons/${idOf(0, 0)}?userId=anna`);
    expect(answer.status).toBe(200);
    const issuedAtMs = Math.floor((now - 30 * hour) / 1_000) * 1_000;
    expect(answer.body).toEqual({
      couponId: idOf(0, 0),
      batchId: "bat_1",
      userId: "anna",
      state: "effective",
      sandbox: false,
      terms: { name: "Five off", benefit: { kind: "amount_off", amount: 500, currency: "CNY" } },
      validFrom: "2020-01-01T00:00:00.000Z",
      validUntil: "2050-01-01T00:00:00.000Z",
      issuedAt: iso(issuedAtMs),
    });
    expect(answer.headers.get("request-id")).not.toBeNull();
  });

  it("reads the id in lower case, too", async () => {
    const answer = await world.get(`/v1/coupons/${idOf(0, 0).toLowerCase()}?userId=anna`);
    expect(answer.body.couponId).toBe(idOf(0, 0));
  });

  const states: [string, number, number, string][] = [
    ["a hold that lasts", 0, 1, "locked"],
    ["a hold that is over", 0, 2, "effective"],
    ["a redemption", 0, 3, "redeemed"],
    ["a deactivation", 0, 4, "deactivated"],
    ["a validity that is over", 1, 0, "expired"],
    ["a validity that is to come", 2, 0, "pending"],
    ["a relative validity that is over", 3, 0, "expired"],
    ["a relative validity that lasts", 3, 1, "effective"],
    ["a batch that was revoked", 7, 0, "deactivated"],
  ];
  it.each(states)("shows %s", async (_, index, serial, state) => {
    const answer = await world.get(`/v1/coupons/${idOf(index, serial)}?userId=anna`);
    expect(answer.body).toMatchObject({ state });
  });

  it("answers not found alike to the byte, whatever the reason", async () => {
    const issued = one.coupons[0] as (typeof one.coupons)[number];
    const never = world.couponId(plain, 0, { ...issued, serial: 4_000 });
    const otherSecond = world.couponId(plain, 0, { ...issued, issuedAtMs: issued.issuedAtMs + 5_000 });
    const unknownBatch = world.couponId(batchOf(999), 0, issued);
    const id = idOf(0, 0);
    const forged = id.slice(0, -1) + (id.endsWith("0") ? "1" : "0");
    const answers = await Promise.all([
      world.get(`/v1/coupons/${forged}?userId=anna`),
      world.get(`/v1/coupons/${id}?userId=ben`),
      world.get(`/v1/coupons/${idOf(4, 0)}?userId=anna`),
      world.get(`/v1/coupons/${never}?userId=anna`),
      world.get(`/v1/coupons/${otherSecond}?userId=anna`),
      world.get(`/v1/coupons/${unknownBatch}?userId=anna`),
      world.get("/v1/coupons/nonsense?userId=anna"),
      world.get(`/v1/coupons/${idOf(6, 0)}?userId=anna`, { "x-caller-sandbox": "false" }),
    ]);
    for (const answer of answers) {
      expect(answer.status).toBe(404);
      expect(answer.body.code).toBe("coupon_not_found");
      expect(answer.text).toBe(answers[0]?.text);
    }
  });

  it("refuses a caller of the batch that may not read", async () => {
    const answer = await world.get(`/v1/coupons/${idOf(5, 0)}?userId=anna`);
    expect([answer.status, answer.body.code]).toEqual([403, "operation_not_permitted"]);
  });

  it("refuses what is not well formed, and whoever is not one of us", async () => {
    const path = `/v1/coupons/${idOf(0, 0)}`;
    const refusals: [string, Record<string, string>, number, string][] = [
      [path, {}, 400, "request_invalid"],
      [`${path}?userId=`, {}, 400, "request_invalid"],
      [`${path}?userId=a%00b`, {}, 400, "request_invalid"],
      [`${path}?userId=${"x".repeat(129)}`, {}, 400, "request_invalid"],
      [`${path}?userId=anna&more=1`, {}, 400, "request_invalid"],
      [`${path}?userId=anna`, { "read-after": "nonsense" }, 400, "request_invalid"],
      [`${path}?userId=anna`, { "x-caller-sandbox": "perhaps" }, 400, "request_invalid"],
      [`${path}?userId=anna`, { authorization: "Bearer someone-elses-token" }, 401, "token_invalid"],
      [`${path}?userId=anna`, { authorization: "" }, 401, "token_invalid"],
      ["/v1/nothing", {}, 404, "route_not_found"],
    ];
    for (const [url, headers, status, code] of refusals) {
      const answer = await world.get(url, headers);
      expect([url, answer.status, answer.body.code]).toEqual([url, status, code]);
      expect(answer.headers.get("content-type")).toContain("application/problem+json");
    }
  });
});

describe("GET /v1/users/{userId}/coupons", () => {
  it("lists the batches that the caller may read, newest first", async () => {
    const { body } = await world.get("/v1/users/anna/coupons");
    const wanted = [idOf(3, 1), idOf(7, 0), idOf(6, 0), idOf(2, 0), idOf(1, 0)];
    const first = [4, 3, 2, 1].map((serial) => idOf(0, serial));
    // Of one instant: the higher batch first.
    const ids = [...wanted, ...first, idOf(3, 0), idOf(0, 0)];
    expect(body.items.map((item: { couponId: string }) => item.couponId)).toEqual(ids);
    expect(body.nextCursor).toBeNull();
  });

  it("keeps the sandbox and the live world apart when told which", async () => {
    const live = await world.get("/v1/users/anna/coupons", { "x-caller-sandbox": "false" });
    const test = await world.get("/v1/users/anna/coupons", { "x-caller-sandbox": "true" });
    expect(live.body.items).toHaveLength(10);
    expect(test.body.items).toMatchObject([{ batchId: "bat_7", sandbox: true }]);
  });

  it("shows a caller nothing of another's batches", async () => {
    const rival = await world.get("/v1/users/anna/coupons", { "x-caller-id": "rival" });
    expect(rival.body.items.map((item: { batchId: string }) => item.batchId)).toEqual(["bat_5"]);
    const stranger = await world.get("/v1/users/anna/coupons", { "x-caller-id": "stranger" });
    expect(stranger.body).toEqual({ items: [], nextCursor: null });
    const filtered = await world.get("/v1/users/anna/coupons?batchId=bat_5");
    expect(filtered.body).toEqual({ items: [], nextCursor: null });
  });

  it("is empty for a user without coupons", async () => {
    expect((await world.get("/v1/users/nobody/coupons")).body).toEqual({ items: [], nextCursor: null });
  });

  it("refuses what is not well formed", async () => {
    const queries = ["limit=0", "limit=201", "limit=x", "state=gone", "sort=price", "cursor=x", "batchId=", "what=1"];
    const codes = await Promise.all(
      queries.map(async (query) => (await world.get(`/v1/users/anna/coupons?${query}`)).body.code),
    );
    const invalid = "request_invalid";
    expect(codes).toEqual([invalid, invalid, invalid, invalid, invalid, "cursor_invalid", invalid, invalid]);
  });
});

describe("a reader whom the front says to be refused", () => {
  const refusal = { "x-caller-refusal": "caller_suspended" };

  it("is refused each read", async () => {
    for (const path of [`/v1/coupons/${idOf(0, 0)}?userId=anna`, "/v1/users/anna/coupons", "/v1/orders/held"]) {
      const answer = await world.get(path, refusal);
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, "caller_suspended"]);
    }
  });

  it("is told first what is not found, or not well formed", async () => {
    const refusals: [string, string][] = [
      [`/v1/coupons/${idOf(0, 0)}?userId=ben`, "coupon_not_found"],
      ["/v1/orders/unknown", "order_not_found"],
      ["/v1/users/anna/coupons?cursor=x", "cursor_invalid"],
    ];
    for (const [path, code] of refusals) expect((await world.get(path, refusal)).body.code).toBe(code);
    // Before what the batch says of the caller.
    expect((await world.get(`/v1/coupons/${idOf(5, 0)}?userId=anna`, refusal)).body.code).toBe("caller_suspended");
  });
});

describe("Read-After", () => {
  it("waits for the write that it names", async () => {
    for (let n = 0; n < 10; n++) {
      const after = await world.append(1, [one.issue(["reader"])]);
      const { body } = await world.get("/v1/users/reader/coupons", { "read-after": after });
      expect(body.items).toHaveLength(n + 1);
    }
  });

  it("takes several positions joined by commas", async () => {
    const first = await world.append(1, [one.issue(["reader2"])]);
    const second = await world.append(2, [two.issue(["reader2"])]);
    const { body } = await world.get("/v1/users/reader2/coupons", { "read-after": `${first}, ${second}` });
    expect(body.items).toHaveLength(2);
  });

  it("gives up after 2 s", async () => {
    const startedAt = performance.now();
    const far = encodeLogPosition(1, 1_000_000);
    const answer = await world.get("/v1/users/anna/coupons", { "read-after": far });
    expect([answer.status, answer.body.code]).toEqual([503, "read_after_timeout"]);
    expect(answer.body.retryable).toBe(true);
    expect(performance.now() - startedAt).toBeGreaterThan(1_900);
  });
});

describe("operation", () => {
  it("says that it is alive and ready, and what it measures", async () => {
    expect((await world.get("/healthz")).status).toBe(200);
    await eventually(async () => (await world.get("/readyz")).status === 200);
    const { text } = await world.get("/metrics");
    expect(text).toMatch(/ledger_applied_position\{partition="1",service="ledger"\} \d+/);
    expect(text).toMatch(/ledger_lag_messages\{partition="1",service="ledger"\} 0/);
    expect(text).toMatch(/ledger_lag_seconds\{partition="1",service="ledger"\} 0/);
    expect(text).toMatch(/ledger_rows_total\{service="ledger"\} [1-9]/);
    expect(text).toMatch(/ledger_transaction_seconds_count\{service="ledger"\} [1-9]/);
  });

  it("serves its OpenAPI description", async () => {
    const { body } = await world.get("/openapi.json");
    expect(Object.keys(body.paths)).toContain("/v1/users/{userId}/coupons");
    expect(await checkOpenApi(body)).toEqual([]);
    expect(Object.keys(body.components.securitySchemes)).toEqual(["internalToken", "operatorToken"]);
  });
});
