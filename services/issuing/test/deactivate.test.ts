import {
  createFaultProxy,
  eventually,
  type FaultProxy,
  type ServiceProcess,
  startServiceProcess,
} from "@coupon/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Answer } from "./support/signed-caller.ts";
import { type Running, World } from "./support/world.ts";

const PATIENCE_MS = 4_000;
const world = new World();
const { caller } = world;
let ledger: ServiceProcess;
let proxy: FaultProxy;
let issuing: Running;
let batchId = "";
let users = 0;

beforeAll(async () => {
  await world.start();
  const server = new URL(world.env.DATABASE_URL ?? "");
  proxy = await createFaultProxy({ host: server.hostname, port: Number(server.port) });
  ledger = await startServiceProcess({ main: "services/ledger/src/main.ts", env: world.env });
  // Issuing's own way to PostgreSQL goes through the proxy; the ledger's does not.
  server.host = `${proxy.host}:${proxy.port}`;
  const env = { DATABASE_URL: server.href, LEDGER_URL: ledger.url, RECOVERY_PATIENCE_MS: String(PATIENCE_MS) };
  issuing = await world.issuing(env);
  ({ batchId } = await world.publishBatch({ stock: { total: 1_000, perUser: 1 }, shards: 2 }));
  await eventually(async () => (await caller.claim(batchId, "probe", "k")).status < 300);
});
afterAll(async () => {
  await world.close();
  await ledger.stop();
  await proxy.close();
});

const order = {
  amount: 5_000,
  currency: "CNY",
  lines: [{ lineId: "1", productId: "p", quantity: 1, unitAmount: 5_000 }],
};

async function issue(): Promise<{ userId: string; couponId: string }> {
  users += 1;
  const userId = `user-${users}`;
  const { status, body } = await caller.claim(batchId, userId, "k");
  expect(status).toBe(201);
  return { userId, couponId: body.couponId as string };
}

async function deactivate(couponId: string): Promise<{ status: number; body: Answer["body"] }> {
  const response = await fetch(`${issuing.internalUrl}/internal/v1/coupons/${couponId}/deactivate`, {
    method: "POST",
    headers: { authorization: `Bearer ${world.env.INTERNAL_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ reason: "stolen" }),
  });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

const redeem = ({ userId, couponId }: { userId: string; couponId: string }, orderId: string) =>
  caller.call("POST", `/v1/orders/${orderId}/redeem`, { userId, couponIds: [couponId], order });

/** What the ledger does from here on waits for its end. */
async function whileLedgerStands(work: () => Promise<void>): Promise<void> {
  ledger.kill("SIGSTOP");
  try {
    await work();
  } finally {
    ledger.kill("SIGCONT");
  }
}

test("an effective coupon is dead once it is answered, and again the same", async () => {
  const coupon = await issue();
  const dead = { status: 200, body: { couponId: coupon.couponId, batchId, state: "deactivated" } };
  expect(await deactivate(coupon.couponId.toLowerCase())).toEqual(dead);
  expect(await deactivate(coupon.couponId)).toEqual(dead);
  expect((await redeem(coupon, "o-effective")).body.code).toBe("coupon_deactivated");
});

test("a hold ends with its coupon", async () => {
  const coupon = await issue();
  const asked = { userId: coupon.userId, couponIds: [coupon.couponId], order, holdSeconds: 600 };
  expect((await caller.call("POST", "/v1/orders/o-locked/lock", asked)).status).toBe(200);
  expect((await deactivate(coupon.couponId)).status).toBe(200);
  expect((await redeem(coupon, "o-locked")).body.code).toBe("coupon_deactivated");
});

test("a redeemed coupon is not deactivated", async () => {
  const coupon = await issue();
  expect((await redeem(coupon, "o-redeemed")).status).toBe(200);
  expect(await deactivate(coupon.couponId)).toMatchObject({ status: 409, body: { code: "coupon_redeemed" } });
});

test("ids of no batch, of no coupon and of another user's are coupon_not_found", async () => {
  const { couponId } = await issue();
  // The MAC at the end is bound to the user: any other one is somebody else's.
  const forged = couponId.slice(0, -1) + (couponId.endsWith("0") ? "1" : "0");
  for (const id of [forged, "NONSENSE", "0".repeat(32)]) {
    expect(await deactivate(id)).toMatchObject({ status: 404, body: { code: "coupon_not_found" } });
  }
});

test("a coupon that the ledger has not applied yet is waited for, and then ledger_behind", async () => {
  let coupon = { userId: "", couponId: "" };
  await whileLedgerStands(async () => {
    coupon = await issue();
    expect(await deactivate(coupon.couponId)).toMatchObject({
      status: 503,
      body: { code: "ledger_behind", retryable: true, outcome: "none" },
    });
  });
  await eventually(async () => (await deactivate(coupon.couponId)).status === 200);
});

test("a coupon that was just issued is deactivated at once, however soon", async () => {
  for (let i = 0; i < 20; i += 1) {
    const { couponId } = await issue();
    expect(await deactivate(couponId)).toMatchObject({ status: 200 });
  }
});

test("while PostgreSQL is away: ledger_unavailable, but for a coupon whose record is at hand", async () => {
  const [cold, held] = [await issue(), await issue()];
  const asked = { userId: held.userId, couponIds: [held.couponId], order, holdSeconds: 600 };
  expect((await caller.call("POST", "/v1/orders/o-held/lock", asked)).status).toBe(200);
  proxy.refuse(true);
  proxy.cutAll();
  expect(await deactivate(cold.couponId)).toMatchObject({
    status: 503,
    body: { code: "ledger_unavailable", retryable: true, outcome: "none" },
  });
  expect((await deactivate(held.couponId)).status).toBe(200);
  proxy.heal();
  await eventually(async () => (await deactivate(cold.couponId)).status === 200);
});
