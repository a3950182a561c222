import { execFile } from "node:child_process";
import { join } from "node:path";
import { createTestDatabase } from "@coupon/database/testing";
import {
  createFaultProxy,
  eventually,
  type FaultProxy,
  freePorts,
  REPOSITORY,
  startKafka,
  temporaryFolder,
} from "@coupon/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expectBooks } from "./support/books.ts";
import { ShardStory } from "./support/shard-story.ts";
import { batchOf, World } from "./support/world.ts";

const patient = { timeoutMs: 60_000 };

describe("PostgreSQL away in the middle", () => {
  let world: World;
  let proxy: FaultProxy;
  let throughProxy: Record<string, string>;

  beforeEach(async () => {
    world = await World.create();
    const url = new URL(world.database.databaseUrl);
    proxy = await createFaultProxy({ host: url.hostname, port: Number(url.port) });
    url.port = String(proxy.port);
    throughProxy = { DATABASE_URL: url.href };
  });

  afterEach(async () => {
    await world.close();
    await proxy.close();
  });

  it("is answered with ledger_unavailable, and everything is applied once it is back", async () => {
    const batch = batchOf(7);
    await world.publish(batch);
    const story = new ShardStory(7, 0, Date.now());
    await world.append(0, [story.rules(), story.issue(["anna"])]);
    await world.start(throughProxy);
    await world.applied();

    proxy.refuse(true);
    proxy.cutAll();
    const after = await world.append(0, [story.issue(["anna"])]);
    const id = world.couponId(batch, 0, story.coupons[0] as (typeof story.coupons)[number]);
    const paths = [
      `/v1/coupons/${id}?userId=anna`,
      "/v1/users/anna/coupons",
      "/v1/orders/o1",
      "/internal/v1/orders/o1/coupons?callerId=shop",
      "/internal/v1/batches/7/stats",
    ];
    for (const path of paths) {
      const answer = await world.get(path);
      expect([path, answer.status, answer.body.code]).toEqual([path, 503, "ledger_unavailable"]);
      expect(answer.headers.get("retry-after")).not.toBeNull();
    }
    const waited = await world.get("/v1/users/anna/coupons", { "read-after": after });
    expect([waited.status, waited.body.code]).toEqual([503, "ledger_unavailable"]);
    expect((await world.get("/readyz")).status).toBe(503);
    expect((await world.get("/healthz")).status).toBe(200);

    proxy.refuse(false);
    await world.applied();
    await expectBooks(world.pool, [story]);
    await eventually(async () => (await world.get("/readyz")).status === 200, patient);
    expect((await world.get("/v1/users/anna/coupons", { "read-after": after })).body.items).toHaveLength(2);
  }, 120_000);

  it("frozen rather than gone: requests end in time, and nothing is lost", async () => {
    await world.publish(batchOf(7));
    const story = new ShardStory(7, 0, Date.now());
    await world.append(0, [story.rules(), story.issue(["anna"])]);
    await world.start(throughProxy);
    await world.applied();
    proxy.pause();
    await world.append(0, [story.issue(["ben"])]);
    const startedAt = performance.now();
    const answer = await world.get("/v1/users/anna/coupons");
    expect([answer.status, answer.body.code]).toEqual([503, "ledger_unavailable"]);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    proxy.resume();
    await world.applied();
    await expectBooks(world.pool, [story]);
  }, 120_000);
});

describe("Kafka away in the middle", () => {
  it("is waited for; reads go on, and everything is applied once it is back", async () => {
    const directory = join(temporaryFolder("ledger-kafka"), "kafka");
    const [port = 0, controllerPort = 0] = await freePorts(2);
    const options = { directory, port, controllerPort, ephemeral: true };
    let kafka = await startKafka(options);
    const world = await World.create({ brokers: [kafka.url] });
    try {
      await world.publish(batchOf(7));
      const story = new ShardStory(7, 0, Date.now());
      await world.append(0, [story.rules(), story.issue(["anna"])]);
      await world.start();
      await world.applied();
      kafka.kill("SIGKILL");
      await kafka.child.exited;
      expect((await world.get("/v1/users/anna/coupons")).body.items).toHaveLength(1);
      await eventually(async () => (await world.get("/readyz")).status === 503, patient);
      const unknown = await world.get("/internal/v1/orders/o1/coupons?callerId=shop");
      expect(unknown.body).toEqual({ orderId: "o1", coupons: [], caughtUp: false });

      kafka = await startKafka(options);
      const entry = story.issue(["anna"]);
      await eventually(() => world.append(0, [entry]), patient);
      await world.applied();
      await expectBooks(world.pool, [story]);
      await eventually(async () => (await world.get("/readyz")).status === 200, patient);
    } finally {
      await world.close();
      await kafka.stop();
    }
  }, 180_000);
});

describe("what is missing at the start", () => {
  let world: World;

  beforeEach(async () => {
    world = await World.create();
  });

  afterEach(async () => {
    await world.close();
  });

  function runMain(overrides: Record<string, string>): Promise<{ code: unknown; stderr: string }> {
    const env = { PATH: process.env.PATH ?? "", ...world.env(overrides) };
    const main = join(REPOSITORY, "services/ledger/src/main.ts");
    return new Promise((resolve) => {
      execFile(process.execPath, [main], { env }, (error, _, stderr) => resolve({ code: error?.code, stderr }));
    });
  }

  const cases: [string, Record<string, string>, RegExp][] = [
    [
      "PostgreSQL",
      { DATABASE_URL: "postgres://u:hush@127.0.0.1:1/x" },
      /PostgreSQL at 127\.0\.0\.1:1\/x can't be reached/,
    ],
    ["Kafka", { KAFKA_BROKERS: "127.0.0.1:1" }, /The log can't be reached/],
    ["the topics", { TOPIC_PREFIX: "nobody-made-these." }, /Topic nobody-made-these\.entries does not exist/],
    ["as many partitions as the topic has", { PARTITIONS: "5" }, /has 3 partitions where 5 are configured/],
    ["a setting", { INTERNAL_TOKEN: "" }, /INTERNAL_TOKEN is missing/],
    ["keys that can be read", { COUPON_KEYS: "hush" }, /coupon keys: not JSON/],
  ];
  it.each(cases)(
    "%s: ends with status 1 and one sentence",
    async (_, overrides, sentence) => {
      const { code, stderr } = await runMain(overrides);
      expect(stderr).toMatch(sentence);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(stderr).not.toContain("hush");
      expect(code).toBe(1);
    },
    90_000,
  );

  it("tables: says how to make them", async () => {
    await using empty = await createTestDatabase({ migrated: false });
    const { code, stderr } = await runMain({ DATABASE_URL: empty.databaseUrl });
    expect(stderr).toMatch(/^ledger can't start: The database has no ledger tables; migrate it first/);
    expect(code).toBe(1);
  }, 90_000);
});
