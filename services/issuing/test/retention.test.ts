import { checkTopics } from "@coupon/events";
import { alterEntries } from "@coupon/events/testing";
import { createFaultProxy, eventually, type FaultProxy, startServiceProcess } from "@coupon/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { PARTITIONS, type Running, World } from "./support/world.ts";

const DAY_MS = 86_400_000;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** One that looks ten times a second how far the ledger, which is not there, has come. */
async function worldWithoutLedger(envOf: (world: World) => Promise<Record<string, string>> = async () => ({})) {
  const world = new World();
  closers.push(() => world.close());
  await world.start();
  const env = await envOf(world);
  const issuing = await world.issuing({ RETENTION_CHECK_MS: "100", RETENTION_SHARE_MAX: "0.01", ...env });
  const { batchId } = await world.publishBatch({ stock: { total: 1_000, perUser: 5 } });
  const first = await eventually(async () => {
    const answer = await world.caller.claim(batchId, "user-1", "key-1");
    return answer.status < 300 && answer;
  });
  return { world, issuing, batchId, couponId: first.body.couponId as string, orders: ordersOf(world, first.body) };
}

function ordersOf({ caller }: World, { couponId }: Record<string, unknown>) {
  const lines = [{ lineId: "1", productId: "p", quantity: 2, unitAmount: 5_000 }];
  const order = { amount: 10_000, currency: "CNY", lines };
  const about = { userId: "user-1", couponIds: [couponId] };
  return {
    lock: (orderId: string) => caller.call("POST", `/v1/orders/${orderId}/lock`, { ...about, order, holdSeconds: 600 }),
    redeem: (orderId: string) => caller.call("POST", `/v1/orders/${orderId}/redeem`, { ...about, order }),
    release: (orderId: string) => caller.call("POST", `/v1/orders/${orderId}/release`, about),
    reverse: (orderId: string, key: string) =>
      caller.call(
        "POST",
        `/v1/orders/${orderId}/reversals`,
        { couponIds: [couponId], lines: [{ lineId: "1", quantity: 1 }], reason: "returned" },
        { idempotencyKey: key },
      ),
  };
}

async function metric({ baseUrl }: Running, name: RegExp): Promise<number> {
  const text = await (await fetch(`${baseUrl}/metrics`)).text();
  return Number(new RegExp(`^${name.source} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

const STOPS_NEW = /issuing_retention_partitions\{level="stops_new".*\}/;
const UNKNOWN_SECONDS = /issuing_ledger_unknown_seconds\{.*\}/;
const STOPS_ALL = /issuing_retention_partitions\{level="stops_all".*\}/;

const until = (issuing: Running, name: RegExp) =>
  eventually(async () => (await metric(issuing, name)) > 0, { timeoutMs: 20_000 });

/** Resolves once it has applied all that there is, and issuing has looked. */
async function startLedger(world: World, issuing: Running): Promise<void> {
  const ledger = await startServiceProcess({ main: "services/ledger/src/main.ts", env: world.env });
  closers.push(() => ledger.stop());
  await eventually(async () => {
    const text = await (await fetch(`${ledger.url}/metrics`)).text();
    const lags = [...text.matchAll(/^ledger_lag_messages\{.*\} (\d+)$/gm)].map(([, lag]) => Number(lag));
    return lags.length === PARTITIONS && lags.every((lag) => lag === 0);
  });
  let last = await metric(issuing, UNKNOWN_SECONDS);
  await eventually(async () => {
    const before = last;
    last = await metric(issuing, UNKNOWN_SECONDS);
    return last < before;
  });
}

describe("a ledger whose lag nears the log's retention", () => {
  test("stops claims, grants and locks; then all; what is on record is answered; and goes on when it has caught up", async () => {
    const { world, issuing, batchId, couponId, orders } = await worldWithoutLedger();
    const { caller } = world;
    expect((await orders.redeem("order-1")).status).toBe(200);
    expect((await caller.claim(batchId, "user-2", "key-2")).status).toBe(201);

    await alterEntries(world.logConfig, { "retention.ms": "120000" });
    await until(issuing, STOPS_NEW);
    // The metric counts partitions; the batch's own may be the last to grow too old.
    let users = 0;
    const refused = await eventually(async () => {
      users += 1;
      const answer = await caller.claim(batchId, `early-${users}`, "key");
      return answer.status === 503 && answer;
    });
    expect([refused.status, refused.body.code, refused.body.outcome]).toEqual([503, "ledger_behind", "none"]);
    expect(refused.headers.get("retry-after")).toBe("30");
    const replay = await caller.claim(batchId, "user-1", "key-1");
    expect([replay.status, replay.body.couponId]).toEqual([200, couponId]);
    const grants = await caller.call("POST", `/v1/batches/${batchId}/grants`, {
      grants: [{ idempotencyKey: "g", userId: "user-4" }],
    });
    expect(grants.body.outcomes).toMatchObject([{ outcome: "unavailable", problem: { code: "ledger_behind" } }]);
    expect((await orders.lock("order-2")).body.code).toBe("ledger_behind");
    expect((await orders.release("order-2")).status).toBe(200);
    const part = await orders.reverse("order-1", "part");
    expect(part.status).toBe(201);

    await alterEntries(world.logConfig, { "retention.ms": "1000" });
    await until(issuing, STOPS_ALL);
    const late = await orders.reverse("order-1", "another");
    expect([late.status, late.body.code]).toEqual([503, "ledger_behind"]);
    expect((await orders.reverse("order-1", "part")).body).toEqual(part.body);
    expect((await orders.redeem("order-1")).status).toBe(200);
    expect((await orders.release("order-3")).body.code).toBe("ledger_behind");

    await alterEntries(world.logConfig, { "retention.ms": String(7 * DAY_MS) });
    await eventually(() => checkTopics(world.logConfig).then(() => true));
    await startLedger(world, issuing);
    await alterEntries(world.logConfig, { "retention.ms": "120000" });
    const back = await eventually(
      async () => {
        const answer = await caller.claim(batchId, "user-3", "key-3");
        return answer.status < 300 && answer;
      },
      { timeoutMs: 20_000 },
    );
    expect(back.status).toBe(201);
  });

  test("is taken to stand still while PostgreSQL is away: a state unknown for too long stops, too", async () => {
    const cut: { now(): void } = { now: () => undefined };
    const { world, issuing, batchId } = await worldWithoutLedger(async ({ env }) => {
      const { proxy, url } = await behindProxy(env.DATABASE_URL ?? "");
      cut.now = () => {
        proxy.refuse(true);
        proxy.cutAll();
      };
      return { DATABASE_URL: url };
    });
    await startLedger(world, issuing);
    await alterEntries(world.logConfig, { "retention.ms": "60000" });
    cut.now();
    await eventually(async () => (await metric(issuing, UNKNOWN_SECONDS)) > 1);
    expect(await metric(issuing, STOPS_NEW)).toBe(0);
    expect((await world.caller.claim(batchId, "user-2", "key-2")).status).toBe(201);
    await until(issuing, STOPS_NEW);
    expect((await world.caller.claim(batchId, "user-3", "key-3")).body.code).toBe("ledger_behind");
  });

  test("can't be compared with a limit in bytes: that stops what is new", async () => {
    const { world, issuing, batchId } = await worldWithoutLedger();
    await alterEntries(world.logConfig, { "retention.ms": "-1", "retention.bytes": "1000000" });
    await until(issuing, STOPS_NEW);
    expect((await world.caller.claim(batchId, "user-2", "key-2")).body.code).toBe("ledger_behind");
    await alterEntries(world.logConfig, { "retention.ms": "-1", "retention.bytes": "-1" });
    await eventually(async () => (await world.caller.claim(batchId, "user-2", "key-2")).status === 201);
  });
});

async function behindProxy(url: string): Promise<{ proxy: FaultProxy; url: string }> {
  const target = new URL(url);
  const proxy = await createFaultProxy({ host: target.hostname, port: Number(target.port) });
  closers.push(() => proxy.close());
  target.host = `${proxy.host}:${proxy.port}`;
  return { proxy, url: target.toString().replace(/\/$/, "") };
}
