import { randomBytes } from "node:crypto";
import { connectRedis, createShardCalls, type RedisConnection, type ShardCalls } from "@coupon/redis";
import { eventually } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Change, type ChangeName, changeNames, prepareChanges, send } from "./support/changes.ts";
import { type Answer, type CallOptions, SignedCaller } from "./support/signed-caller.ts";
import { World } from "./support/world.ts";

const world = new World();
const { caller } = world;
let changes: Record<ChangeName, Change>;
let batchId = "";
let batchNumber = 0;
let redis: RedisConnection;
let calls: ShardCalls;

beforeAll(async () => {
  await world.start();
  await world.issuing();
  redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
  calls = createShardCalls({ redis, prefix: world.prefix, hashKey: Buffer.from(world.env.HASH_KEY ?? "", "base64") });
  ({ batchId, batchNumber } = await world.publishBatch({ stock: { total: 1_000, perUser: 10 } }));
  changes = await prepareChanges(caller, batchId);
});
afterAll(async () => {
  await redis.close();
  await world.close();
});

async function lastEntry(): Promise<number> {
  const [header] = await calls.readHeaders([{ batch: batchNumber, shard: 0 }]);
  return header?.number ?? -1;
}

/** Refused, never by a 500, and the shard has no entry more than before. */
async function refused(request: () => Promise<Answer>, status: number, code: string): Promise<Answer> {
  const before = await lastEntry();
  expect(before).toBeGreaterThan(0);
  const answer = await request();
  expect([answer.status, answer.body.code]).toEqual([status, code]);
  expect(answer.headers.get("content-type")).toContain("application/problem+json");
  expect(await lastEntry()).toBe(before);
  return answer;
}

function sendRaw({ method, path, idempotencyKey }: Change, rawBody: string, options: CallOptions = {}) {
  return caller.call(method, path, undefined, {
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...{ ...options, rawBody },
  });
}

const deep = `${'{"a":'.repeat(40)}1${"}".repeat(40)}`;
const firstName = (text: string) => /^\{("\w+":)/.exec(text)?.[1];

/** What is done to the text of a good body. */
const spoiled: [what: string, spoil: (text: string) => string, saying: RegExp][] = [
  ["not JSON", (text) => text.slice(0, -1), /valid JSON/],
  ["empty", () => "", /./],
  ["an array", (text) => `[${text}]`, /./],
  ["null", () => "null", /./],
  ["an unknown field", (text) => `{"admin":true,${text.slice(1)}`, /admin/],
  ["deep", (text) => `{"a":${deep},${text.slice(1)}`, /nested/],
  ["a duplicate key", (text) => `{${firstName(text)}7,${text.slice(1)}`, /repeat a name/],
  ["__proto__", (text) => `{"__proto__":{"x":1},${text.slice(1)}`, /__proto__/],
  ["__proto__ in escapes", (text) => `{"__pr\\u006fto__":{"x":1},${text.slice(1)}`, /__proto__/],
  ["constructor", (text) => `{"constructor":{"prototype":{}},${text.slice(1)}`, /constructor/],
];

describe.each(changeNames)("%s", (name) => {
  test.each(spoiled)("a body that is or has %s", async (_what, spoil, saying) => {
    const text = spoil(JSON.stringify(changes[name].body));
    const answer = await refused(() => sendRaw(changes[name], text), 400, "request_invalid");
    expect(JSON.stringify(answer.body.errors ?? answer.body.detail)).toMatch(saying);
  });

  test("a body beyond 1 MiB, and one of another media type", async () => {
    const text = JSON.stringify(changes[name].body);
    await refused(() => sendRaw(changes[name], text + " ".repeat(1_100_000)), 413, "body_too_large");
    const headers = { "content-type": "text/plain" };
    await refused(() => sendRaw(changes[name], text, { headers }), 415, "media_type_unsupported");
  });

  test("without a signature", async () => {
    const { method, path, body } = changes[name];
    const unsigned = async () => {
      const init = { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      const response = await fetch(caller.baseUrl + path, init);
      return { status: response.status, body: (await response.json()) as Answer["body"], headers: response.headers };
    };
    await refused(unsigned, 401, "signature_missing");
  });
});

describe.each(["claim", "lock", "redeem", "release"] as const)("the user of a %s", (name) => {
  test.each([
    ["a NUL", "user\0"],
    ["an emoji", "user😀"],
    ["129 characters", "u".repeat(129)],
    ["none", ""],
    ["a number", 7],
    ["missing", undefined],
  ])("%s", async (_what, userId) => {
    const change = { ...changes[name], body: { ...changes[name].body, userId } };
    await refused(() => send(caller, change), 400, "request_invalid");
  });
});

describe("grants, of which one is wrong, are refused as a whole", () => {
  const grant = (n: number, change: object = {}) => ({ idempotencyKey: `g${n}`, userId: `granted-${n}`, ...change });
  const good = (count: number) => Array.from({ length: count }, (_, n) => grant(n));
  test.each<[what: string, grants: unknown, pointer: string]>([
    ["none", [], "/grants"],
    ["1,001", good(1_001), "/grants"],
    ["no list", grant(1), "/grants"],
    ["no object", [grant(1), "g2"], "/grants/1"],
    ["a key of 65 characters", [grant(1), grant(2, { idempotencyKey: "k".repeat(65) })], "/grants/1/idempotencyKey"],
    ["an empty key", [grant(1, { idempotencyKey: "" }), grant(2)], "/grants/0/idempotencyKey"],
    ["a key with a space", [grant(1), grant(2, { idempotencyKey: "a b" })], "/grants/1/idempotencyKey"],
    ["a key that is a number", [grant(1), grant(2, { idempotencyKey: 7 })], "/grants/1/idempotencyKey"],
    ["no key", [grant(1), grant(2, { idempotencyKey: undefined })], "/grants/1"],
    ["a user with a NUL", [grant(1), grant(2, { userId: "u\0" })], "/grants/1/userId"],
    ["a user of 129 characters", [grant(1), grant(2, { userId: "u".repeat(129) })], "/grants/1/userId"],
    ["an empty user", [grant(1), grant(2, { userId: "" })], "/grants/1/userId"],
    ["no user", [grant(1), grant(2, { userId: undefined })], "/grants/1"],
    ["an unknown field", [grant(1), grant(2, { admin: true })], "/grants/1"],
  ])("%s", async (_what, grants, pointer) => {
    const answer = await refused(() => send(caller, { ...changes.grants, body: { grants } }), 400, "request_invalid");
    const errors = answer.body.errors as { pointer: string }[];
    expect(errors.map((error) => error.pointer).some((each) => each.startsWith(pointer))).toBe(true);
  });

  test("1,000 good ones are not", async () => {
    const { status } = await send(caller, { ...changes.grants, body: { grants: good(1_000) } });
    expect(status).toBe(200);
  });
});

test("a key that was revoked: every change is refused, also one that is on record", async () => {
  const leaver = new SignedCaller("leaver", "live_leaver1", randomBytes(32));
  leaver.baseUrl = caller.baseUrl;
  const key = { keyId: leaver.keyId, secret: leaver.secret.toString("base64") };
  await world.publishCaller(leaver);
  const own = await world.publishBatch({
    ...{ stock: { total: 100, perUser: 10 }, callers: [{ callerId: "leaver", may: ["issue", "redeem", "reverse"] }] },
  });
  const theirs = await prepareChanges(leaver, own.batchId);
  expect((await send(leaver, theirs.claim)).status).toBe(201);
  await world.publishCaller(leaver, { version: 2, keys: [{ ...key, revoked: true }] });
  const read = () => leaver.call("GET", `/v1/batches/${own.batchId}`);
  await eventually(async () => (await read()).status === 401);
  const at = [{ batch: own.batchNumber, shard: 0 }];
  const before = await calls.readHeaders(at);
  for (const name of changeNames) {
    const { status, body } = await send(leaver, theirs[name]);
    expect([name, status, body.code, body.retryable]).toEqual([name, 401, "key_revoked", false]);
  }
  expect(await calls.readHeaders(at)).toEqual(before);
});
