import { encodeLogPosition } from "@coupon/events";
import { checkOpenApi, eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ShardStory } from "./support/shard-story.ts";
import { batchOf, World } from "./support/world.ts";

let world: World;

const now = Date.now();
const hour = 3_600_000;
const iso = (ms: number) => new Date(ms).toISOString();

const plain = batchOf(1);
const ended = batchOf(2, {
  template: { ...plain.template, validity: { from: iso(now - 9 * hour), until: iso(now - hour) } },
});
const coming = batchOf(3, {
  template: { ...plain.template, validity: { from: iso(now + hour), until: iso(now + 9 * hour) } },
});
const rolling = batchOf(4, { template: { ...plain.template, validity: { days: 1, mode: "rolling" } } });
const others = batchOf(5, { callers: [{ callerId: "rival", may: ["issue", "redeem", "read"] }] });
const unreadable = batchOf(6, { callers: [{ callerId: "shop", may: ["issue"] }] });
const sandbox = batchOf(7, { sandbox: true });
const revoked = batchOf(8, { state: "deactivated", revoked: true });
const definitions = [plain, ended, coming, rolling, others, unreadable, sandbox, revoked];
const stories = definitions.map((each) => new ShardStory(each.batchNumber, 0, now - 30 * hour));
const [one, two, three, four, five, six, seven, eight] = stories as [
  ShardStory,
  ShardStory,
  ShardStory,
  ShardStory,
  ShardStory,
  ShardStory,
  ShardStory,
  ShardStory,
];

beforeAll(async () => {
  world = await World.create();
  await world.publish(...definitions);
  const ledger = world.start();
  for (const story of stories) await world.append(story.batch % 3, [story.rules()]);
  const far = 1_000 * hour;
  await world.append(1, [
    one.issue(["anna"]),
    one.later(1_000).issue(["anna"]),
    one.later(1_000).issue(["anna"]),
    one.later(1_000).issue(["anna"]),
    one.later(1_000).issue(["anna"]),
    one.lock(1, "held", far),
    one.lock(2, "lapsed", 60_000),
    one.redeem(3, "used"),
    one.deactivate(4),
  ]);
  await world.append(2, [two.later(5_000).issue(["anna"])]);
  await world.append(0, [three.later(6_000).issue(["anna"])]);
  await world.append(1, [four.issue(["anna"]), four.later(20 * hour).issue(["anna"])]);
  await world.append(2, [five.later(7_000).issue(["anna"])]);
  await world.append(0, [six.later(8_000).issue(["anna"]), six.lock(0, "unreadable", far)]);
  await world.append(1, [seven.later(9_000).issue(["anna"])]);
  await world.append(2, [eight.later(10_000).issue(["anna"])]);
  await ledger;
  await world.applied();
});

afterAll(async () => {
  await world.close();
});

const idOf = (index: number, serial: number) => {
  const definition = definitions[index] as (typeof definitions)[number];
  const coupon = stories[index]?.coupons[serial];
  if (coupon === undefined) throw new Error("no such coupon");
  return world.couponId(definition, 0, coupon);
};

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

describe("GET /v1/orders/{orderId}", () => {
  it("answers the hold while it lasts", async () => {
    const { status, body } = await world.get("/v1/orders/held");
    expect(status).toBe(200);
    expect(body).toEqual({
      orderId: "held",
      hold: {
        orderId: "held",
        userId: "anna",
        coupons: [{ couponId: idOf(0, 1), discount: 500, lines: [{ lineId: "1", discount: 500 }] }],
        discount: 500,
        lockedUntil: expect.stringMatching(/Z$/),
      },
      reversals: [],
    });
  });

  it("answers the redemption with its reversals, step by step", async () => {
    const read = async () => (await world.get("/v1/orders/used")).body;
    expect(await read()).toEqual({
      orderId: "used",
      redemption: {
        orderId: "used",
        userId: "anna",
        status: "redeemed",
        coupons: [{ couponId: idOf(0, 3), discount: 500, lines: [{ lineId: "1", discount: 500 }] }],
        discount: 500,
        discountReversed: 0,
        redeemedAt: expect.stringMatching(/Z$/),
      },
      reversals: [],
    });
    let after = await world.append(1, [one.reverse(3, "used", 200, 300, false)]);
    const part = (await world.get("/v1/orders/used", { "read-after": after })).body;
    expect(part.redemption).toMatchObject({ status: "partially_reversed", discount: 500, discountReversed: 200 });
    after = await world.append(1, [one.reverse(3, "used", 300, 0, true)]);
    const whole = (await world.get("/v1/orders/used", { "read-after": after })).body;
    expect(whole.redemption).toMatchObject({ status: "reversed", discount: 500, discountReversed: 500 });
    expect(whole.reversals).toEqual([
      {
        ...whole.reversals[0],
        discountReversed: 200,
        remaining: 300,
        coupons: [{ couponId: idOf(0, 3), state: "redeemed" }],
      },
      {
        ...whole.reversals[1],
        discountReversed: 300,
        remaining: 0,
        coupons: [{ couponId: idOf(0, 3), state: "effective" }],
      },
    ]);
    const coupon = await world.get(`/v1/coupons/${idOf(0, 3)}?userId=anna`);
    expect(coupon.body.state).toBe("effective");
  });

  it("refuses a caller of the batch that may not read", async () => {
    const answer = await world.get("/v1/orders/unreadable");
    expect([answer.status, answer.body.code]).toEqual([403, "operation_not_permitted"]);
  });

  it("answers not found alike to the byte: unknown, another caller's, a hold that is over", async () => {
    const answers = await Promise.all([
      world.get("/v1/orders/unknown"),
      world.get("/v1/orders/held", { "x-caller-id": "rival" }),
      world.get("/v1/orders/lapsed"),
    ]);
    for (const answer of answers) {
      expect([answer.status, answer.body.code]).toEqual([404, "order_not_found"]);
      expect(answer.text).toBe(answers[0]?.text);
    }
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

describe("GET /internal/v1/orders/{orderId}/coupons", () => {
  it("names the coupons that the order has redeemed", async () => {
    const { body } = await world.get("/internal/v1/orders/used/coupons?callerId=shop");
    expect(body).toEqual({ orderId: "used", coupons: [{ couponId: idOf(0, 3), userId: "anna" }], caughtUp: true });
  });

  it("says that it means something where there are none and the log is applied", async () => {
    const { body } = await world.get("/internal/v1/orders/unknown/coupons?callerId=shop");
    expect(body).toEqual({ orderId: "unknown", coupons: [], caughtUp: true });
    const rival = await world.get("/internal/v1/orders/used/coupons?callerId=rival");
    expect(rival.body.coupons).toEqual([]);
  });
});

describe("GET /internal/v1/batches/{batchNumber}/stats", () => {
  it("adds up what the batch has come to", async () => {
    const { status, body } = await world.get("/internal/v1/batches/4/stats");
    expect(status).toBe(200);
    // One of the two coupons is too old to be redeemed.
    expect(body).toEqual({
      batchNumber: 4,
      issued: 2,
      redeemed: 0,
      reversed: 0,
      cost: { amount: 0, currency: "CNY" },
      liability: { amount: 500, currency: "CNY" },
      asOf: expect.stringMatching(/Z$/),
    });
    expect((await world.get("/internal/v1/batches/2/stats")).body).toMatchObject({
      issued: 1,
      liability: { amount: 0 },
    });
    expect((await world.get("/internal/v1/batches/8/stats")).body).toMatchObject({
      issued: 1,
      liability: { amount: 0 },
    });
  });

  it("counts redemptions, reversals and what they cost", async () => {
    const batch = batchOf(31);
    await world.publish(batch);
    const story = new ShardStory(31, 0, now);
    const after = await world.append(1, [
      story.rules(),
      story.issue(["a", "b", "c", "d"]),
      story.redeem(0, "s0"),
      story.redeem(1, "s1"),
      story.reverse(0, "s0", 500, 0, true),
      story.reverse(1, "s1", 100, 400, false),
      story.deactivate(2),
    ]);
    const stats = await eventually(async () => {
      const answer = await world.get("/internal/v1/batches/31/stats", { "read-after": after });
      return answer.status === 200 && answer.body;
    });
    expect(stats).toMatchObject({
      issued: 4,
      redeemed: 2,
      reversed: 2,
      cost: { amount: 400 },
      // Coupons 0 (it came back) and 3.
      liability: { amount: 1_000 },
    });
    expect(Math.abs(Date.parse(stats.asOf) - Date.now())).toBeLessThan(60_000);
  });

  it("does not know a batch that was never published", async () => {
    const answer = await world.get("/internal/v1/batches/999/stats");
    expect([answer.status, answer.body.code]).toEqual([404, "batch_not_found"]);
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
