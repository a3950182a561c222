import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connectRedis, type RedisConnection } from "@coupon/redis";
import { eventually, freePorts } from "@coupon/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Answer } from "./support/signed-caller.ts";
import { World } from "./support/world.ts";

/** An order keeps to the coupon that it was first asked with, whatever Redis has lost. */
const world = new World();
const { caller } = world;
let ledger: ChildProcess;
let redis: RedisConnection;
let batchId = "";

beforeAll(async () => {
  await world.start();
  const [port] = (await freePorts(1)) as [number];
  ledger = spawn(process.execPath, [new URL("../../ledger/src/main.ts", import.meta.url).pathname], {
    env: { ...process.env, ...world.env, PORT: String(port) },
    stdio: ["ignore", "inherit", "inherit"],
  });
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok, { timeoutMs: 30_000 });
  await world.issuing({ LEDGER_URL: `http://127.0.0.1:${port}` });
  redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
  ({ batchId } = await world.publishBatch({ stock: { total: 10_000, perUser: 3 }, shards: 4 }));
  await eventually(async () => (await caller.claim(batchId, "probe", "k")).status < 300);
});
afterAll(async () => {
  await world.close();
  await redis.close();
  ledger.kill("SIGTERM");
  await once(ledger, "exit");
});

const order = {
  amount: 5_000,
  currency: "CNY",
  lines: [{ lineId: "1", productId: "p", quantity: 1, unitAmount: 5_000 }],
};

/** An answer that stands: asked again for as long as the shard, or the ledger, is behind. */
function settled(call: () => Promise<Answer>): Promise<Answer> {
  return eventually(
    async () => {
      const answer = await call();
      return answer.status === 503 ? false : answer;
    },
    { timeoutMs: 20_000 },
  );
}

const lock = (userId: string, coupon: Answer, orderId: string) =>
  settled(() =>
    caller.call("POST", `/v1/orders/${orderId}/lock`, {
      ...{ userId, couponIds: [coupon.body.couponId], order },
      holdSeconds: 600,
    }),
  );
const redeem = (userId: string, coupon: Answer, orderId: string) =>
  settled(() =>
    caller.call("POST", `/v1/orders/${orderId}/redeem`, { userId, couponIds: [coupon.body.couponId], order }),
  );
const release = (userId: string, coupon: Answer, orderId: string) =>
  settled(() => caller.call("POST", `/v1/orders/${orderId}/release`, { userId, couponIds: [coupon.body.couponId] }));

const coupons = async (userId: string): Promise<[Answer, Answer]> => [
  await settled(() => caller.claim(batchId, userId, "one")),
  await settled(() => caller.claim(batchId, userId, "two")),
];

async function lose(which: (key: string) => boolean): Promise<void> {
  const keys = (await redis.keys(`${world.prefix}*`)).filter(which);
  expect(keys.length).toBeGreaterThan(0);
  for (const key of keys) await redis.del(key);
}

const isTie = (key: string): boolean => /\{o.\}/.test(key);

test.each([
  { lost: "everything", which: (key: string) => !key.includes("{leases}") },
  { lost: "the ties alone, as with a node of a cluster", which: isTie },
])("Redis loses $lost: an order with another coupon is refused as before", async ({ lost, which }) => {
  const user = `user-${lost.length}`;
  const [one, other] = await coupons(user);
  const [held, used, given] = [`held-${lost.length}`, `used-${lost.length}`, `given-${lost.length}`];
  expect((await lock(user, one, held)).status).toBe(200);
  const rival = `rival-${lost.length}`;
  const [first, second] = await coupons(rival);
  const redeemed = await redeem(rival, first, used);
  expect(redeemed.status).toBe(200);
  const third = `third-${lost.length}`;
  const [back, instead] = await coupons(third);
  expect((await lock(third, back, given)).status).toBe(200);
  expect((await release(third, back, given)).status).toBe(200);
  const refused = (await lock(user, other, held)).body;
  expect(refused.code).toBe("idempotency_conflict");

  await lose(which);

  expect((await lock(user, other, held)).body.code).toBe("idempotency_conflict");
  expect((await redeem(rival, second, used)).body.code).toBe("idempotency_conflict");
  expect((await redeem(rival, first, used)).body).toEqual(redeemed.body);
  expect((await lock(third, instead, given)).status).toBe(200);
  expect((await redeem(user, one, held)).status).toBe(200);
  expect((await lock(user, other, `fresh-${lost.length}`)).status).toBe(200);
});

test("as long as the ledger has not applied what the order locked, nobody takes its tie for one that never was", async () => {
  const [one, other] = await coupons("behind");
  ledger.kill("SIGSTOP");
  try {
    expect((await lock("behind", one, "behind-1")).status).toBe(200);
    await lose(isTie);
    const ask = { userId: "behind", couponIds: [other.body.couponId], order, holdSeconds: 600 };
    for (let time = 0; time < 3; time += 1) {
      const { status, body } = await caller.call("POST", "/v1/orders/behind-1/lock", ask);
      expect([status, body.code]).toEqual([503, "shard_recovering"]);
    }
  } finally {
    ledger.kill("SIGCONT");
  }
  expect((await lock("behind", other, "behind-1")).body.code).toBe("idempotency_conflict");
  expect((await lock("behind", one, "behind-1")).status).toBe(200);
});

test("once all ties are there again, the ledger is asked no more", async () => {
  await lose(isTie);
  const [one] = await coupons("later");
  expect((await lock("later", one, "later-1")).status).toBe(200);
  const marks = async () => (await redis.keys(`${world.prefix}{o?}:m`)).map((key) => redis.get(key));
  await eventually(async () => {
    const values = await Promise.all(await marks());
    return values.length === 64 && values.every((value) => /^[0-9a-f]{40}$/.test(value ?? ""));
  });
  ledger.kill("SIGSTOP");
  try {
    expect((await lock("later", one, "later-1")).status).toBe(200);
    expect((await redeem("later", one, "later-1")).status).toBe(200);
  } finally {
    ledger.kill("SIGCONT");
  }
});
