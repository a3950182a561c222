import { afterEach, beforeEach, expect, test } from "vitest";
import { CouponClient, type CouponClientOptions } from "../src/index.ts";
import { type Answer, fakeService, problem, type Seen } from "./fake-service.ts";

const secret = Buffer.alloc(32, 3).toString("base64");
let disposables: AsyncDisposableStack;
beforeEach(() => {
  disposables = new AsyncDisposableStack();
});
afterEach(() => disposables.disposeAsync());

interface Asked {
  userId: string;
  idempotencyKey: string;
}
const grantsOf = ({ body }: Seen) => (JSON.parse(body) as { grants: Asked[] }).grants;

/** Answers each grant as `judge` says; null fails the request as a whole with `overloaded`. */
async function start(judge: (grant: Asked, request: number) => object | null, more: Partial<CouponClientOptions> = {}) {
  const service = disposables.use(
    await fakeService((seen, index): Answer => {
      const outcomes = grantsOf(seen).map((grant) => ({
        idempotencyKey: grant.idempotencyKey,
        ...judge(grant, index),
      }));
      return { body: { outcomes } };
    }),
  );
  const client = new CouponClient({
    baseUrl: service.url,
    keyId: "live_a",
    secret,
    backOffMs: 5,
    backOffMaxMs: 10,
    ...more,
  });
  disposables.defer(() => client.close());
  return { service, client };
}

const users = (count: number) => Array.from({ length: count }, (_, index) => ({ userId: `u${index}` }));
const unavailable = { outcome: "unavailable", problem: { code: "shard_recovering", retryable: true } };

test("any number goes out in chunks and comes back in order", async () => {
  const { service, client } = await start(({ userId }) => ({ outcome: "issued", coupon: { userId } }));
  const result = await client.grant("b", users(2_501), { chunkSize: 1_000, concurrency: 2 });
  expect(result.ok).toBe(true);
  expect(result.outcomes.map(({ userId, coupon }) => [userId, coupon?.userId])).toEqual(
    users(2_501).map(({ userId }) => [userId, userId]),
  );
  expect(service.seen.map((seen) => grantsOf(seen).length).sort()).toEqual([1_000, 1_000, 501]);
  expect(new Set(service.seen.flatMap((seen) => grantsOf(seen).map(({ idempotencyKey }) => idempotencyKey))).size).toBe(
    2_501,
  );
});

test("only what was unavailable is sent again, under the same keys", async () => {
  const { service, client } = await start(({ userId }, request) =>
    request < 2 && Number(userId.slice(1)) % 3 === 0
      ? unavailable
      : { outcome: userId === "u1" ? "refused" : "issued" },
  );
  const result = await client.grant("b", users(9));
  expect(result.ok).toBe(true);
  const refused = result.outcomes.filter(({ outcome }) => outcome === "refused");
  expect(refused.map(({ userId }) => userId)).toEqual(["u1"]);
  expect(result.outcomes.filter(({ outcome }) => outcome === "issued")).toHaveLength(8);
  expect(service.seen.map((seen) => grantsOf(seen).map(({ userId }) => userId))).toEqual([
    users(9).map(({ userId }) => userId),
    ["u0", "u3", "u6"],
    ["u0", "u3", "u6"],
  ]);
  const keyOfFirst = service.seen.map((seen) => grantsOf(seen)[0]?.idempotencyKey);
  expect(new Set(keyOfFirst).size).toBe(1);
});

test("what stays unavailable is told, after the attempts are used up", async () => {
  const { service, client } = await start(({ userId }) => (userId === "u1" ? unavailable : { outcome: "issued" }), {
    attemptsMax: 3,
  });
  const result = await client.grant("b", users(3));
  expect(result).toMatchObject({ ok: false, outcomes: [{ outcome: "issued" }, unavailable, { outcome: "issued" }] });
  expect(result.failure).toBeUndefined();
  expect(service.seen).toHaveLength(3);
});

test("a request refused as a whole ends it; the rest is unavailable and its keys are told", async () => {
  const service = disposables.use(
    await fakeService((seen, index) =>
      index === 0
        ? { body: { outcomes: grantsOf(seen).map(({ idempotencyKey }) => ({ idempotencyKey, outcome: "issued" })) } }
        : problem("caller_suspended", 403),
    ),
  );
  const client = new CouponClient({ baseUrl: service.url, keyId: "live_a", secret });
  disposables.defer(() => client.close());
  const result = await client.grant("b", users(6), { chunkSize: 2 });
  expect(result).toMatchObject({ ok: false, failure: { outcome: "none", refusal: { code: "caller_suspended" } } });
  expect(result.outcomes.map(({ outcome }) => outcome)).toEqual([
    "issued",
    "issued",
    "unavailable",
    "unavailable",
    "unavailable",
    "unavailable",
  ]);
  expect(result.outcomes.every(({ idempotencyKey }) => idempotencyKey.length > 0)).toBe(true);
  expect(service.seen).toHaveLength(2);
});

test("nothing to grant sends nothing; a chunk beyond what a request takes is refused", async () => {
  const { service, client } = await start(() => ({ outcome: "issued" }));
  expect(await client.grant("b", [])).toEqual({ ok: true, outcomes: [] });
  expect(service.seen).toHaveLength(0);
  await expect(client.grant("b", users(1), { chunkSize: 1_001 })).rejects.toThrow(RangeError);
});
