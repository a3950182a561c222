import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer, CallOptions } from "./support/signed-caller.ts";
import { World } from "./support/world.ts";

const world = new World();
const { caller } = world;
let batchId = "";
let path = "";

beforeAll(async () => {
  await world.start();
  await world.issuing();
  ({ batchId } = await world.publishBatch({ stock: { total: 1_000, perUser: 1 } }));
  path = `/v1/batches/${batchId}/claims`;
  await eventually(async () => (await caller.claim(batchId, "probe", "probe")).status < 300);
});
afterAll(() => world.close());

let keys = 0;
/** A claim that is wrong in one way; afterwards its key and user must be as if nothing had been sent. */
async function refusedClaim(body: unknown, options: CallOptions = {}): Promise<Answer> {
  keys += 1;
  const answer = await caller.call("POST", path, body, { idempotencyKey: `bad-${keys}`, ...options });
  expect(answer.status).toBeLessThan(500);
  expect(answer.headers.get("content-type")).toContain("application/problem+json");
  expect(answer.headers.get("request-id")).toMatch(/\S/);
  return answer;
}

async function expectNothingWritten(userId: string): Promise<void> {
  expect((await caller.claim(batchId, userId, "after")).status).toBe(201);
}

describe("signatures", () => {
  test("none at all", async () => {
    const response = await fetch(caller.baseUrl + path, { method: "POST", body: "{}" });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([401, "signature_missing"]);
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
    await expectNothingWritten("signed");
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
    await expectNothingWritten(`after-${keys}`);
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
    const answer = await caller.call("POST", path, { userId: "user-1" });
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
    const answer = await caller.call(method, at, method === "POST" ? {} : undefined);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test("an unknown batch", async () => {
    const answer = await caller.claim("no-such-batch", "user-1", "key");
    expect([answer.status, answer.body.code]).toEqual([404, "batch_not_found"]);
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
