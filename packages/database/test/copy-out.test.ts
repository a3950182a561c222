import { createFaultProxy, eventually } from "@coupon/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  createPool,
  createPositions,
  DatabaseFailure,
  openAuditSnapshot,
  openShardSnapshot,
  type Pool,
  writeEntries,
} from "../src/index.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing.ts";
import { couponsOf, rulesOf, shardOf, testPool, writeOf } from "./rows.ts";

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = testPool(database.databaseUrl);
  await createPositions(pool, [3]);
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

it("leaves no timer of a query behind, whichever way rows are copied", async () => {
  const left: Record<string, number> = {};
  const measured = async (name: string, work: () => Promise<void>): Promise<void> => {
    const before = timers();
    await work();
    left[name] = timers() - before;
  };
  const shards = [shardOf({ issued: 2, rules: JSON.stringify(rulesOf()) })];
  const coupons = couponsOf([0, 1].map((serial) => ({ serial, userId: `user-${serial}`, atMs: 5_000 })));
  // The pool's own timer, of its idle connection, is there from here on; the test runner's goes within a moment.
  await pool.query("SELECT 1");
  await eventually(() => timers() === 1);
  await measured("written", () => writeEntries(pool, writeOf(0, { shards, coupons })));
  const image = await openShardSnapshot(pool, { batch: 7, shard: 0, chunkSize: 1 });
  const audit = await openAuditSnapshot(pool, 3, 10_000);
  try {
    await measured("image", async () => {
      for await (const { count } of image?.coupons() ?? []) expect(count).toBe(1);
    });
    await measured("audit", async () => {
      const serials: number[] = [];
      const range = { batch: 7, shard: 0, from: 0, to: 10 };
      await audit.coupons(range, (serial) => serials.push(serial));
      await audit.facts("redemption", range, () => undefined);
      expect(serials).toEqual([0, 1]);
    });
  } finally {
    await image?.close();
    await audit.close();
  }
  expect(left).toEqual({ written: 0, image: 0, audit: 0 });
});

it.each(["coupons", "serialsEnd"] as const)(
  "a frozen server ends an audit's %s, and so does what follows",
  async (read) => {
    const url = new URL(database.databaseUrl);
    const proxy = await createFaultProxy({ host: url.hostname, port: Number(url.port) });
    url.port = String(proxy.port);
    const limits = { statementTimeoutMs: 0, queryTimeoutMs: 200, connectionTimeoutMs: 5_000 };
    const behind = createPool({ databaseUrl: url.href, max: 1, ...limits });
    try {
      const audit = await openAuditSnapshot(behind, 3, 200);
      proxy.pause();
      const range = { batch: 7, shard: 0, from: 0, to: 10 };
      const reading = read === "coupons" ? audit.coupons(range, () => undefined) : audit.serialsEnd(7, 0);
      await expect(reading).rejects.toThrow(new DatabaseFailure("PostgreSQL did not answer: Query read timeout"));
      await audit.close();
      expect(behind.totalCount).toBe(0);
      proxy.heal();
      await (await openAuditSnapshot(behind, 3, 200)).close();
    } finally {
      await behind.end();
      await proxy.close();
    }
  },
);
