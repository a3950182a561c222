import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listen } from "../src/index.ts";
import { sampleService } from "./sample-service.ts";
import { revokedKey, revokedKeyId, signedHeaders } from "./signed.ts";

const { app, logged } = sampleService();
let base = "";
beforeAll(async () => {
  base = await listen(app, { host: "127.0.0.1", port: 0 });
});
afterAll(() => app.close());

interface Sent {
  method?: string;
  url?: string;
  body?: string | Buffer;
  signed?: boolean | object;
  headers?: Record<string, string>;
  idempotencyKey?: string;
}

const claims = "/v1/batches/b-1/claims";
const good = '{"userId":"user-1"}';

async function send(sent: Sent) {
  const { method = "POST", url = claims, body, signed = true, idempotencyKey = "k-1" } = sent;
  const request = { method, url, idempotencyKey, ...(body === undefined ? {} : { body }) };
  const headers = {
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...(signed === false ? {} : signedHeaders({ ...request, ...(signed === true ? {} : signed) })),
    ...sent.headers,
  };
  const response = await fetch(base + url, {
    method,
    headers,
    body: body === undefined ? null : new Uint8Array(Buffer.from(body)),
    signal: AbortSignal.timeout(5_000),
  });
  const text = await response.text();
  const problem = text === "" ? undefined : JSON.parse(text);
  return { status: response.status, code: problem?.code as string | undefined, problem, headers: response.headers };
}

/** Every refusal is a complete problem with a request id, and never a 500. */
async function refused(sent: Sent, status: number, code: string) {
  const answer = await send(sent);
  expect(answer.code ?? answer.problem).toBe(code);
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(answer.headers.get("request-id")).toMatch(/^[\w.:@/+=-]{1,128}$/);
  expect(answer.problem).toMatchObject({ type: `urn:coupon:problem:${code}`, status, outcome: "none" });
  expect(answer.problem.detail).not.toBe("");
  return answer;
}

test("a good request passes", async () => {
  expect(await send({ body: good })).toMatchObject({ status: 201, problem: { userId: "user-1", callerId: "shop" } });
});

describe("bodies", () => {
  const nested = (depth: number) => `{"userId":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  test.each<[string, string | Buffer, string | undefined]>([
    ["not JSON", "userId=user-1", ""],
    ["half of JSON", '{"userId":"user-1"', ""],
    ["two texts", `${good}${good}`, ""],
    ["a byte order mark", `\uFEFF${good}`, ""],
    ["a comment", '{"userId":"user-1"/*x*/}', ""],
    ["a trailing comma", '{"userId":"user-1",}', ""],
    ["NaN", '{"userId":NaN}', ""],
    ["invalid UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), ""],
    ["nested 17 deep", nested(16), ""],
    ["nested 100,000 deep", nested(100_000), ""],
    ["a repeated name", '{"userId":"a","userId":"user-1"}', ""],
    ["a name repeated by escape", '{"userId":"a","user\\u0049d":"user-1"}', ""],
    ["a repeated name further down", '{"userId":"a","context":{"ip":"1","ip":"2"}}', ""],
    ["__proto__", '{"userId":"user-1","__proto__":{"admin":true}}', "/__proto__"],
    ["__proto__ by escape", '{"userId":"user-1","__pr\\u006fto__":{"admin":true}}', "/__proto__"],
    ["__proto__ alone", '{"__proto__":{"userId":"user-1"}}', "/__proto__"],
    ["constructor", '{"userId":"user-1","constructor":{"prototype":{}}}', "/constructor"],
    ["an unknown member", '{"userId":"user-1","amount":1}', "/amount"],
    ["an unknown member further down", '{"userId":"user-1","context":{"ip":"1","x/y~z":2}}', "/context/x~1y~0z"],
    ["an array", "[]", ""],
    ["null", "null", ""],
    ["a number", "5", ""],
    ["a string", '"user-1"', ""],
    ["a missing member", "{}", "/userId"],
    ["a number for a string", '{"userId":5}', "/userId"],
    ["a boolean for a string", '{"userId":true}', "/userId"],
    ["an array for a string", '{"userId":["user-1"]}', "/userId"],
    ["null for a string", '{"userId":null}', "/userId"],
    ["an empty id", '{"userId":""}', "/userId"],
    ["NUL in an id", '{"userId":"user\\u0000"}', "/userId"],
    ["half of a surrogate pair", '{"userId":"user\\ud83d"}', "/userId"],
    ["a raw control character", '{"userId":"user\u0001"}', ""],
    ["an emoji in an id", '{"userId":"🎟️"}', "/userId"],
    ["129 characters", `{"userId":"${"u".repeat(129)}"}`, "/userId"],
    ["a space in an id", '{"userId":"user 1"}', "/userId"],
  ])("%s: request_invalid", async (_name, body, pointer) => {
    const { problem } = await refused({ body }, 400, "request_invalid");
    expect(problem.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
  });

  test.each([
    ["negative", '{"amount":-1,"currency":"CNY","lines":[{"lineId":"1","quantity":1}]}', "/order/amount"],
    ["fractional", '{"amount":1.5,"currency":"CNY","lines":[{"lineId":"1","quantity":1}]}', "/order/amount"],
    ["overflowing", '{"amount":1e400,"currency":"CNY","lines":[{"lineId":"1","quantity":1}]}', "/order/amount"],
    [
      "beyond 2^53",
      '{"amount":9007199254740993,"currency":"CNY","lines":[{"lineId":"1","quantity":1}]}',
      "/order/amount",
    ],
    ["text", '{"amount":"100","currency":"CNY","lines":[{"lineId":"1","quantity":1}]}', "/order/amount"],
    ["no lines", '{"amount":1,"currency":"CNY","lines":[]}', "/order/lines"],
    [
      "a quantity of 0",
      '{"amount":1,"currency":"CNY","lines":[{"lineId":"1","quantity":0}]}',
      "/order/lines/0/quantity",
    ],
  ])("money that is %s: request_invalid", async (_name, orderText, pointer) => {
    const { problem } = await refused(
      { url: "/v1/orders/o/lock", body: `{"order":${orderText}}` },
      400,
      "request_invalid",
    );
    expect(problem.errors[0].pointer).toBe(pointer);
  });

  test("several errors are listed, and no more than twenty", async () => {
    const several = await refused({ body: '{"user":1,"context":{"ip":5}}' }, 400, "request_invalid");
    const pointers = several.problem.errors.map((error: { pointer: string }) => error.pointer);
    expect(pointers.sort()).toEqual(["/context/ip", "/user", "/userId"]);
    const lines = Array.from({ length: 60 }, () => "{}").join();
    const body = `{"order":{"amount":1,"currency":"CNY","lines":[${lines}]}}`;
    const many = await refused({ url: "/v1/orders/o/lock", body }, 400, "request_invalid");
    expect(many.problem.errors).toHaveLength(20);
  });

  test("a large bad body costs one error and little time", async () => {
    const lines = Array.from({ length: 250_000 }, () => "{}").join();
    const body = `{"order":{"amount":1,"currency":"CNY","lines":[${lines}]}}`;
    const { problem } = await refused({ url: "/v1/orders/o/lock", body }, 400, "request_invalid");
    expect(problem.errors).toHaveLength(1);
  });

  test("without a body that is needed: request_invalid", async () => {
    const { problem } = await refused({}, 400, "request_invalid");
    expect(problem.errors[0].message).toContain("no body");
  });

  test.each([1024 * 1024 + 1, 3 * 1024 * 1024, 7 * 1024 * 1024])("%d bytes: body_too_large", async (size) => {
    await refused({ body: `{"userId":"${"u".repeat(size - 13)}"}` }, 413, "body_too_large");
  });

  test("exactly 1 MiB is read", async () => {
    await refused({ body: `{"userId":"${"u".repeat(1024 * 1024 - 13)}"}` }, 400, "request_invalid");
  });

  test.each([
    ["text/plain"],
    ["application/x-www-form-urlencoded"],
    ["application/json; charset=latin1"],
    ["application/jsonx"],
    ["nonsense"],
    [";"],
  ])("content type %s: media_type_unsupported", async (type) => {
    await refused({ body: good, headers: { "content-type": type } }, 415, "media_type_unsupported");
  });

  test("a compressed body: media_type_unsupported", async () => {
    await refused({ body: good, headers: { "content-encoding": "gzip" } }, 415, "media_type_unsupported");
  });

  test.each(["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"'])(
    "content type %s is taken",
    async (type) => {
      expect((await send({ body: good, headers: { "content-type": type } })).status).toBe(201);
    },
  );

  test("nothing of a body reaches another object's prototype", () => {
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe("keys, ids and queries", () => {
  test("no Idempotency-Key: idempotency_key_missing", async () => {
    const headers = signedHeaders({ method: "POST", url: claims, body: good });
    await refused({ body: good, signed: false, headers }, 400, "idempotency_key_missing");
  });

  test("a wrong body outranks a missing Idempotency-Key", async () => {
    const headers = signedHeaders({ method: "POST", url: claims, body: "{}" });
    await refused({ body: "{}", signed: false, headers }, 400, "request_invalid");
  });

  test.each(["k".repeat(65), "with space", "ünicode"])("Idempotency-Key %s: refused", async (idempotencyKey) => {
    const answer = await send({ body: good, idempotencyKey });
    expect([answer.status, answer.code]).toEqual(
      idempotencyKey.startsWith("ü") ? [401, "signature_invalid"] : [400, "request_invalid"],
    );
  });

  test.each(["u".repeat(129), "%00", "%F0%9F%8E%9F", "a%20b", "u".repeat(5_000)])(
    "user id %s in a path: request_invalid",
    async (id) => {
      await refused({ method: "GET", url: `/v1/users/${id}/coupons` }, 400, "request_invalid");
    },
  );

  test("a malformed percent-encoding: request_invalid", async () => {
    await refused({ method: "GET", url: "/v1/users/%zz/coupons" }, 400, "request_invalid");
  });

  test.each([
    "limit=0",
    "limit=201",
    "limit=1.5",
    "limit=ten",
    "limit=1&limit=2",
    "unknown=1",
    "limit=",
    "__proto__=1",
  ])("query %s: request_invalid", async (query) => {
    const { problem } = await refused({ method: "GET", url: `/v1/users/u/coupons?${query}` }, 400, "request_invalid");
    expect(problem.errors[0].message).toMatch(/^query: /);
  });

  test("query values are converted, and defaulted", async () => {
    expect((await send({ method: "GET", url: "/v1/users/u/coupons?limit=7" })).problem).toEqual({ limit: 7 });
    expect((await send({ method: "GET", url: "/v1/users/u/coupons" })).problem).toEqual({ limit: 50 });
  });
});

describe("signatures come first", () => {
  const unsigned = { signed: false } as const;
  test.each<[string, Sent]>([
    ["a good request", { body: good }],
    ["a body that is not JSON", { body: "x" }],
    ["an unknown media type", { body: good, headers: { "content-type": "nonsense" } }],
    ["a body that is too large", { body: "x".repeat(1024 * 1024 + 1) }],
    ["an unknown path", { url: "/v1/nowhere", body: good }],
    ["an unknown method", { method: "DELETE" }],
    ["the prefix itself", { method: "GET", url: "/v1" }],
  ])("unsigned, %s: signature_missing", async (_name, sent) => {
    await refused({ ...sent, ...unsigned }, 401, "signature_missing");
  });

  const now = Math.floor(Date.now() / 1000);
  test.each<[string, object, string]>([
    ["stale", { createdSeconds: now - 400 }, "signature_expired"],
    ["ahead", { createdSeconds: now + 400 }, "signature_expired"],
    ["wrong", { secret: Buffer.alloc(32) }, "signature_invalid"],
    ["by an unknown key", { keyId: "live_nobody" }, "key_unknown"],
    ["by a revoked key", { keyId: revokedKeyId, secret: revokedKey.secret }, "key_revoked"],
    ["of another path", { url: "/v1/batches/b-2/claims" }, "signature_invalid"],
    ["of another body", { body: '{"userId":"user-2"}' }, "signature_invalid"],
  ])("%s, with a body that is not JSON either: %s", async (_name, signed, code) => {
    const headers = signedHeaders({ method: "POST", url: claims, body: "x", idempotencyKey: "k-1", ...signed });
    await refused({ body: "x", signed: false, headers }, 401, code);
  });

  test("signed, an unknown path: route_not_found", async () => {
    await refused({ method: "GET", url: "/v1/nowhere" }, 404, "route_not_found");
    await refused({ url: "/v1/nowhere", body: "not JSON" }, 404, "route_not_found");
  });

  test("signed, a method that the path does not take: method_not_allowed with Allow", async () => {
    const claim = await refused({ method: "GET", url: claims }, 405, "method_not_allowed");
    expect(claim.headers.get("allow")).toBe("POST");
    const wallet = await refused({ method: "PUT", url: "/v1/users/u/coupons", body: "x" }, 405, "method_not_allowed");
    expect(wallet.headers.get("allow")).toBe("GET, HEAD");
  });

  test("elsewhere no signature is asked for", async () => {
    await refused({ method: "GET", url: "/nowhere", signed: false }, 404, "route_not_found");
    await refused({ method: "POST", url: "/healthz", signed: false }, 405, "method_not_allowed");
  });
});

test("what nobody expected: internal_error, which tells nothing and is logged with the request's id", async () => {
  const headers = { "request-id": "my-request.1" };
  const answer = await send({ method: "GET", url: "/v1/fails", headers });
  expect([answer.status, answer.code, answer.problem.outcome]).toEqual([500, "internal_error", "unknown"]);
  expect(JSON.stringify(answer.problem)).not.toContain("hunter2");
  expect(answer.headers.get("request-id")).toBe("my-request.1");
  expect(logged()).toContain('"requestId":"my-request.1"');
  expect(logged()).toContain("hunter2");
});
