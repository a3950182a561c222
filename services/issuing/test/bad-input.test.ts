import { connectRedis, createShardCalls, type RedisConnection, type ShardCalls } from "@coupon/redis";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer, CallOptions } from "./support/signed-caller.ts";
import { World } from "./support/world.ts";

const world = new World();
const { caller } = world;
let batchId = "";
let batchNumber = 0;
let path = "";
let redis: RedisConnection;
let calls: ShardCalls;

beforeAll(async () => {
  await world.start();
  await world.issuing();
  redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
  calls = createShardCalls({ redis, prefix: world.prefix, hashKey: Buffer.from(world.env.HASH_KEY ?? "", "base64") });
  ({ batchId, batchNumber } = await world.publishBatch({ stock: { total: 1_000, perUser: 1 } }));
  path = `/v1/batches/${batchId}/claims`;
  await eventually(async () => (await caller.claim(batchId, "probe", "probe")).status < 300);
});
afterAll(async () => {
  await redis.close();
  await world.close();
});

let keys = 0;
/** Number of the shard's last entry. */
async function lastEntry(): Promise<number> {
  const [header] = await calls.readHeaders([{ batch: batchNumber, shard: 0 }]);
  return header?.number ?? -1;
}

/** A request that is wrong in one way: it is refused, never by a 500, and the shard has no entry more than before. */
async function refused(request: () => Promise<Answer>): Promise<Answer> {
  const before = await lastEntry();
  const answer = await request();
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect(answer.headers.get("content-type")).toContain("application/problem+json");
  expect(answer.headers.get("request-id")).toMatch(/\S/);
  expect(await lastEntry()).toBe(before);
  return answer;
}

function refusedClaim(body: unknown, options: CallOptions = {}): Promise<Answer> {
  keys += 1;
  return refused(() => caller.call("POST", path, body, { idempotencyKey: `bad-${keys}`, ...options }));
}

describe("signatures", () => {
  test("none at all", async () => {
    const unsigned = async (): Promise<Answer> => {
      const response = await fetch(caller.baseUrl + path, { method: "POST", body: "{}" });
      return { status: response.status, body: (await response.json()) as Answer["body"], headers: response.headers };
    };
    const answer = await refused(unsigned);
    expect([answer.status, answer.body.code]).toEqual([401, "signature_missing"]);
  });

  test.each([
    ["too old", { createdOffsetSeconds: -301 }, "signature_expired"],
    ["from the future", { createdOffsetSeconds: 310 }, "signature_expired"],
    ["tampered", { headers: { signature: `sig1=:${Buffer.alloc(32).toString("base64")}:` } }, "signature_invalid"],
    ["of another body", { headers: { "content-digest": "sha-256=:AAAA:" } }, "signature_invalid"],
    ["not one", { headers: { signature: "nonsense" } }, "signature_invalid"],
    ["over another key of the request", { headers: { "idempotency-key": "another" } }, "signature_invalid"],
  ])("%s", async (_name, options, code) => {
    const answer = await refusedClaim({ userId: "signed" }, options);
    expect([answer.status, answer.body.code]).toEqual([401, code]);
    expect(JSON.stringify(answer.body)).not.toContain(caller.secret.toString("base64"));
  });

  test("of a key that nobody has", async () => {
    const headers = caller.headers("POST", path, '{"userId":"u"}', { idempotencyKey: "k" });
    const input = (headers["signature-input"] ?? "").replace(caller.keyId, "live_nobody");
    const answer = await refusedClaim({ userId: "signed" }, { headers: { "signature-input": input } });
    expect([answer.status, answer.body.code]).toEqual([401, "key_unknown"]);
  });
});

describe("bodies", () => {
  const deep = `${'{"a":'.repeat(40)}1${"}".repeat(40)}`;
  test.each([
    ["not JSON", "{userId}", 400],
    ["empty", "", 400],
    ["an array", "[]", 400],
    ["null", "null", 400],
    ["deep", deep, 400],
    ["an unknown field", '{"userId":"user-1","admin":true}', 400],
    ["a wrong type", '{"userId":7}', 400],
    ["a duplicate key", '{"userId":"user-1","userId":"user-2"}', 400],
    ["__proto__", '{"userId":"user-1","__proto__":{"x":1}}', 400],
    ["constructor", '{"userId":"user-1","constructor":{"prototype":{}}}', 400],
    ["a NUL", '{"userId":"user\\u0000"}', 400],
    ["an emoji", '{"userId":"user😀"}', 400],
    ["129 characters", `{"userId":"${"u".repeat(129)}"}`, 400],
    ["an empty user", '{"userId":""}', 400],
    ["1 MiB and more", `{"userId":"${"u".repeat(1_100_000)}"}`, 413],
  ])("%s", async (_name, rawBody, status) => {
    const answer = await refusedClaim(undefined, { rawBody });
    expect(answer.status).toBe(status);
    expect(answer.body.code).toBe(status === 413 ? "body_too_large" : "request_invalid");
  });

  test("another media type", async () => {
    const answer = await refusedClaim({ userId: "user-1" }, { headers: { "content-type": "text/plain" } });
    expect([answer.status, answer.body.code]).toEqual([415, "media_type_unsupported"]);
  });

  test("128 characters are fine", async () => {
    expect((await caller.claim(batchId, "u".repeat(128), "k".repeat(64))).status).toBe(201);
  });
});

describe("keys, routes and batches", () => {
  test("a claim without an idempotency key", async () => {
    const answer = await refused(() => caller.call("POST", path, { userId: "user-1" }));
    expect([answer.status, answer.body.code]).toEqual([400, "idempotency_key_missing"]);
  });

  test("a key of 65 characters", async () => {
    const answer = await refusedClaim({ userId: "user-1" }, { idempotencyKey: "k".repeat(65) });
    expect([answer.status, answer.body.code]).toEqual([400, "request_invalid"]);
  });

  test.each([
    ["POST", "/v1/nothing", "route_not_found", 404],
    ["DELETE", "/v1/batches/b/claims", "method_not_allowed", 405],
  ])("%s %s", async (method, at, code, status) => {
    const answer = await refused(() => caller.call(method, at, method === "POST" ? {} : undefined));
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test("an unknown batch: no claim, no grant, no terms", async () => {
    const at = "/v1/batches/no-such-batch";
    for (const asked of [
      () => caller.claim("no-such-batch", "user-1", "key"),
      () => caller.call("POST", `${at}/grants`, { grants: [{ idempotencyKey: "k", userId: "user-1" }] }),
      () => caller.call("GET", at),
    ]) {
      const answer = await refused(asked);
      expect([answer.status, answer.body.code]).toEqual([404, "batch_not_found"]);
    }
  });

  test("the same key of another user, and of another operation, is another request", async () => {
    const { batchId: other } = await world.publishBatch({ stock: { total: 10, perUser: 2 } });
    const first = await eventually(async () => {
      const answer = await caller.claim(other, "user-1", "same");
      return answer.status < 300 ? answer : false;
    });
    const second = await caller.claim(other, "user-2", "same");
    expect(second.status).toBe(201);
    expect(second.body.couponId).not.toBe(first.body.couponId);
    const grants = [{ idempotencyKey: "same", userId: "user-1" }];
    const granted = await caller.call("POST", `/v1/batches/${other}/grants`, { grants });
    expect(granted.body.outcomes).toMatchObject([{ outcome: "issued" }]);
  });

  test("a key first used before the batch ended is answered after; a new one is refused", async () => {
    const definition = await world.publishBatch({ stock: { total: 10, perUser: 1 } });
    const first = await eventually(async () => {
      const answer = await caller.claim(definition.batchId, "user-1", "before");
      return answer.status < 300 ? answer : false;
    });
    await world.publisher.publishBatch({ ...definition, version: 2, state: "ended" });
    await eventually(async () => {
      keys += 1;
      return (await caller.claim(definition.batchId, `late-${keys}`, "k")).body.code === "batch_ended";
    });
    const again = await caller.claim(definition.batchId, "user-1", "before");
    expect([again.status, again.body]).toEqual([200, first.body]);
  });
});

describe("limits that a key outlives", () => {
  const first = (id: string, userId: string, key: string) =>
    eventually(async () => {
      const answer = await caller.claim(id, userId, key);
      return answer.status < 300 ? answer : false;
    });

  test.each([
    ["the user's", { total: 10, perUser: 1 }, "user_limit_reached"],
    ["the user's of a day", { total: 10, perUser: 5, perUserPerDay: 1 }, "user_daily_limit_reached"],
    ["the stock", { total: 1, perUser: 5 }, "stock_exhausted"],
    ["the day's stock", { total: 10, perDay: 1, perUser: 5 }, "daily_stock_exhausted"],
  ])("%s: a key first used before it was reached is answered after; another is refused", async (_name, stock, code) => {
    const { batchId: id } = await world.publishBatch({ stock });
    const issued = await first(id, "user-1", "before");
    const other = await caller.claim(id, "user-1", "after");
    expect([other.status, other.body.code, other.body.limit]).toEqual([409, code, expect.objectContaining({ max: 1 })]);
    const again = await caller.claim(id, "user-1", "before");
    expect([again.status, again.body]).toEqual([200, issued.body]);
    expect((await caller.claim(id, "user-1", "after")).body.code).toBe(code);
  });
});
