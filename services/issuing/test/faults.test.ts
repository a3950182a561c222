import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, type Running as Part, startKafka } from "@coupon/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { tallyLog } from "./support/log-tally.ts";
import { proxyTo, through } from "./support/proxied.ts";
import { type Running, World } from "./support/world.ts";

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Env = Record<string, string>;

/** @param env of the process, or what makes it from the world's own */
async function startWorld(
  env: Env | ((own: Env) => Env) = {},
  kafka?: string,
): Promise<{ world: World; batchId: string; issuing: Running }> {
  const world = new World(kafka);
  closers.push(() => world.close());
  await world.start();
  const given = typeof env === "function" ? env(world.env) : env;
  const issuing = await world.issuing({ REQUEST_DEADLINE_MS: "3000", RECOVERY_PATIENCE_MS: "300", ...given });
  const { batchId } = await world.publishBatch({ stock: { total: 100_000, perUser: 2 } });
  // A broker that has just started on a busy machine takes longer than a short append time-out for its first appends.
  await eventually(async () => (await world.caller.claim(batchId, "first", "first")).status < 300, {
    timeoutMs: 30_000,
  });
  return { world, batchId, issuing };
}

describe("Redis", () => {
  test("away in the middle: refused as recovering, nothing hangs, and served again when it is back", async () => {
    const proxy = await proxyTo(closers, process.env.REDIS_URL ?? "");
    const { world, batchId } = await startWorld({ REDIS_URL: through(proxy, process.env.REDIS_URL) });
    const before = await tallyLog(world.logConfig);
    proxy.refuse(true);
    proxy.cutAll();
    const away = await world.caller.claim(batchId, "user-1", "key-1");
    expect(away.status).toBe(503);
    expect(["shard_recovering", "log_unavailable", "deadline_exceeded"]).toContain(away.body.code);
    expect(away.headers.get("retry-after")).toBe("1");
    expect(await tallyLog(world.logConfig)).toEqual(before);
    proxy.refuse(false);
    const back = await eventually(async () => {
      const answer = await world.caller.claim(batchId, "user-1", "key-1");
      return answer.status < 300 ? answer : false;
    });
    const again = await world.caller.claim(batchId, "user-1", "key-1");
    expect(again.body).toEqual(back.body);
  });

  test("connections cut again and again while replies are on their way: every key has one outcome", async () => {
    const proxy = await proxyTo(closers, process.env.REDIS_URL ?? "");
    const { world, batchId } = await startWorld({ REDIS_URL: through(proxy, process.env.REDIS_URL) });
    const got = new Map<string, Set<unknown>>();
    for (let round = 0; round < 8; round += 1) {
      const cut = proxy.cutAfterBytes(400 + round * 137, round % 2 === 0 ? "down" : "up");
      const users = Array.from({ length: 25 }, (_, i) => `user-${round}-${i}`);
      await Promise.all(
        users.map((user) =>
          eventually(async () => {
            const { status, body } = await world.caller.claim(batchId, user, user);
            if (status >= 300) return false;
            got.set(user, (got.get(user) ?? new Set()).add(body.couponId));
            return true;
          }),
        ),
      );
      await cut;
    }
    for (const user of got.keys()) {
      const { body } = await world.caller.claim(batchId, user, user);
      got.get(user)?.add(body.couponId);
    }
    expect([...got.values()].every((ids) => ids.size === 1)).toBe(true);
    expect(new Set([...got.values()].flatMap((ids) => [...ids])).size).toBe(got.size);
    expect(await tallyLog(world.logConfig)).toEqual({ issue: 1 + got.size });
  });
});

describe("Kafka", () => {
  /**
   * On a busy machine this process stands still for longer than the tests' short lease. Without the lease a claim that
   * comes while Kafka is silent reaches no script, and is answered `shard_recovering`: rightly, and not what is meant here.
   */
  const longLease = { LEASE_TTL_MS: "30000" };

  async function ownKafka(): Promise<Part> {
    const directory = mkdtempSync(join(tmpdir(), "issuing-kafka-"));
    closers.push(() => rmSync(directory, { recursive: true, force: true }));
    const kafka = await startKafka({ directory, ephemeral: true });
    closers.push(() => kafka.stop());
    return kafka;
  }

  test("silent in the middle: outcome unknown, and the same request gets its one outcome afterwards", async () => {
    const kafka = await ownKafka();
    const { world, batchId } = await startWorld({ APPEND_TIMEOUT_MS: "700", ...longLease }, kafka.url);
    kafka.kill("SIGSTOP");
    const silent = await world.caller.claim(batchId, "user-1", "key-1");
    kafka.kill("SIGCONT");
    expect(silent.status).toBe(503);
    expect(silent.body).toMatchObject({ retryable: true, outcome: "unknown" });
    expect(["log_unavailable", "deadline_exceeded"]).toContain(silent.body.code);
    const answered = (user: string) =>
      eventually(
        async () => {
          const answer = await world.caller.claim(batchId, user, "key-1");
          return answer.status < 300 ? answer : false;
        },
        { timeoutMs: 20_000 },
      );
    const back = await answered("user-1");
    expect((await answered("user-1")).body).toEqual(back.body);
    const other = await answered("user-2");
    expect(other.body.couponId).not.toBe(back.body.couponId);
    // Of `startWorld`, and these two users.
    expect(await tallyLog(world.logConfig)).toEqual({ issue: 3 });
  });

  test("silent and back within the deadline: what a request did itself is its first answer, not a replay", async () => {
    const kafka = await ownKafka();
    const patient = { REQUEST_DEADLINE_MS: "15000", RECOVERY_PATIENCE_MS: "15000" };
    const env = { APPEND_TIMEOUT_MS: "700", ...patient, ...longLease };
    const { world, batchId, issuing } = await startWorld(env, kafka.url);
    const { body } = await world.caller.claim(batchId, "user-1", "key-1");
    const lines = [{ lineId: "1", productId: "p", quantity: 2, unitAmount: 5_000 }];
    const redeemed = await world.caller.call("POST", "/v1/orders/order-1/redeem", {
      ...{ userId: "user-1", couponIds: [body.couponId] },
      order: { amount: 10_000, currency: "CNY", lines },
    });
    expect(redeemed.status).toBe(200);
    const ask = { couponIds: [body.couponId], all: true, reason: "returned" };
    const before = await reopenings(issuing);
    kafka.kill("SIGSTOP");
    const reversing = world.caller.call("POST", "/v1/orders/order-1/reversals", ask, { idempotencyKey: "r" });
    const claiming = world.caller.claim(batchId, "user-2", "key-2");
    await eventually(async () => (await reopenings(issuing)) > before);
    kafka.kill("SIGCONT");
    const [reversed, claimed] = await Promise.all([reversing, claiming]);
    expect([claimed.status, claimed.headers.get("idempotent-replayed")]).toEqual([201, null]);
    expect([reversed.status, reversed.headers.get("idempotent-replayed")]).toEqual([201, null]);
    const again = await world.caller.call("POST", "/v1/orders/order-1/reversals", ask, { idempotencyKey: "r" });
    expect([again.status, again.body]).toEqual([200, reversed.body]);
    expect((await world.caller.claim(batchId, "user-2", "key-2")).status).toBe(200);
  });

  async function reopenings({ baseUrl }: Running): Promise<number> {
    const text = await (await fetch(`${baseUrl}/metrics`)).text();
    return Number(/^issuing_partition_reopened_total(?:\{.*\})? (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  test("away at the start: one sentence, no process", async () => {
    const world = new World();
    closers.push(() => world.close());
    await world.start();
    await expect(world.issuing({ KAFKA_BROKERS: "127.0.0.1:1" })).rejects.toThrow(/Kafka|broker|log/i);
  });
});

describe("PostgreSQL", () => {
  test("away in the middle: claims go on, and reads say ledger_unavailable", async () => {
    const proxy = await proxyTo(closers, process.env.DATABASE_URL ?? "");
    const { world, batchId } = await startWorld((own) => ({ DATABASE_URL: through(proxy, own.DATABASE_URL) }));
    proxy.refuse(true);
    proxy.cutAll();
    expect((await world.caller.claim(batchId, "user-1", "key-1")).status).toBe(201);
    const read = await world.caller.call("GET", "/v1/users/user-1/coupons");
    expect([read.status, read.body.code]).toEqual([503, "ledger_unavailable"]);
  });

  test("away when a process starts: partitions open by what Redis knows to be durable", async () => {
    const { world, batchId } = await startWorld();
    const first = await world.caller.claim(batchId, "user-1", "key-1");
    const second = await world.issuing({ DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" });
    await world.stopFirst();
    world.caller.baseUrl = second.baseUrl;
    const replay = await eventually(async () => {
      const answer = await world.caller.claim(batchId, "user-1", "key-1");
      return answer.status === 200 ? answer : false;
    });
    expect(replay.body).toEqual(first.body);
    expect((await world.caller.claim(batchId, "user-2", "key-1")).status).toBe(201);
  });
});

describe("a process that stands still for longer than its lease", () => {
  test("answers everything that it had accepted, and goes on", async () => {
    const { world, batchId } = await startWorld({ LEASE_TTL_MS: "300" });
    for (let round = 0; round < 5; round += 1) {
      const users = Array.from({ length: 60 }, (_, i) => `user-${round}-${i}`);
      const answers = users.map((user) => world.caller.claim(batchId, user, user));
      await Promise.race(answers);
      standStill(700);
      for (const { status } of await Promise.all(answers)) expect([200, 201, 503]).toContain(status);
    }
    await eventually(async () => (await world.caller.claim(batchId, "after", "after")).status < 300);
  });

  function standStill(ms: number): void {
    const until = performance.now() + ms;
    while (performance.now() < until);
  }
});

describe("at the start", () => {
  test("Redis away: one sentence", async () => {
    const world = new World();
    closers.push(() => world.close());
    await world.start();
    await expect(world.issuing({ REDIS_URL: "redis://127.0.0.1:1" })).rejects.toThrow(/Redis.*set REDIS_URL/);
  });

  test("topics that are missing: one sentence", async () => {
    const world = new World();
    closers.push(() => world.close());
    await world.start();
    await expect(world.issuing({ TOPIC_PREFIX: "nobody-made-these." })).rejects.toThrow(/topic/i);
  });
});
