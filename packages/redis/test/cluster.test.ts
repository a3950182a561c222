import { afterAll, beforeAll, expect, test } from "vitest";
import { connectRedis, createLeases, createOrderGuard, createShardCalls, type RedisConnection } from "../src/index.ts";
import { type RealCluster, startCluster } from "./support/cluster.ts";
import { claimOf, hashKey, lockOf, orderOf, redeemOf, releaseOf, reverseOf, rulesOf } from "./support/shard.ts";

const SHARDS = 12;
const at = Array.from({ length: SHARDS }, (_, shard) => ({ batch: 9, shard }));
const expectation = (number: number) => ({ epoch: 1, number, durable: 0, durableOffset: -1 });

let cluster: RealCluster;
let redis: RedisConnection;
beforeAll(async () => {
  cluster = await startCluster();
  redis = await connectRedis({ url: cluster.url, cluster: true });
}, 60_000);
afterAll(async () => {
  await redis?.close();
  await cluster?.stop();
});

test("shards lie on all masters, and every call works on each of them", async () => {
  const calls = createShardCalls({ redis, prefix: "c", hashKey });
  const log: string[][] = at.map(() => []);
  await Promise.all(
    at.map(async (one, index) => {
      const did = async <T extends { kind: string; entry?: string | null }>(result: Promise<T>): Promise<T> => {
        const outcome = await result;
        expect(outcome.kind).toBe("applied");
        if (outcome.entry != null) log[index]?.push(outcome.entry);
        return outcome;
      };
      expect(await calls.open(one, null, 1)).toBe(true);
      await did(calls.changeRules(one, expectation(0), rulesOf({ buckets: 16 })));
      const users = Array.from({ length: 20 }, (_, n) => claimOf(`user${n}`));
      await did(calls.claim(one, expectation(1), [0], users));
      await did(calls.lock(one, expectation(2), [lockOf(), lockOf({ serial: 1 })]));
      await did(calls.redeem(one, expectation(3), [redeemOf(), redeemOf({ serial: 2, order: orderOf() })]));
      const [record] = await calls.readRecords(one, [0, 1, 2]);
      await did(calls.reverse(one, expectation(4), [reverseOf({ recordVersion: record?.version ?? 0 })]));
      await did(calls.release(one, expectation(5), [releaseOf({ serial: 1 })]));
      await did(calls.deactivate(one, expectation(6), [{ serial: 3, reason: "" }]));
      await did(calls.debit(one, expectation(7), { target: 1, amount: 1, credited: 0 }));
      await did(calls.credit(one, expectation(8), 2, 1, 1));
      await did(calls.warm(one, expectation(9), record ? [{ serial: 0, record: record.record }] : []));
    }),
  );
  const headers = await calls.readHeaders(at);
  expect(headers.map((header) => header?.number)).toEqual(at.map(() => 9));

  // The same again from the log, after everything was dropped.
  for (const [index, one] of at.entries()) {
    expect(await calls.readOutbox(one)).toEqual(log[index]);
    await calls.drop(one);
    await calls.open(one, null, 1);
    for (const [offset, text] of (log[index] ?? []).entries())
      expect(await calls.redo(one, 1, text, offset)).toBe(true);
  }
  const redone = await calls.readHeaders(at);
  expect(redone.map((header) => header?.hash)).toEqual(headers.map((header) => header?.hash));

  const sizes = await Promise.all(
    (redis as unknown as { nodes(role: string): { dbsize(): Promise<number> }[] })
      .nodes("master")
      .map((node) => node.dbsize()),
  );
  expect(sizes).toHaveLength(3);
  for (const size of sizes) expect(size).toBeGreaterThan(0);
});

test("leases and orders work on a cluster", async () => {
  const leases = createLeases({ redis, prefix: "c" });
  await leases.join("p1", "127.0.0.1:1", 60_000);
  expect(await leases.acquire(3, "p1", 60_000)).toBe(true);
  expect(await leases.owners(4)).toEqual([null, null, null, "p1"]);
  const orders = createOrderGuard({ redis, prefix: "c" });
  expect(await orders.claim("app/o1", ["A"], 60_000)).toBe("first");
  expect(await orders.claim("app/o1", ["B"], 60_000)).toBe("other");
});

test("scripts that a node has lost are sent again", async () => {
  const calls = createShardCalls({ redis, prefix: "d", hashKey });
  for (const one of at) {
    await (redis as unknown as { nodes(role: string): { script(what: string): Promise<unknown> }[] })
      .nodes("master")
      .reduce((before, node) => before.then(() => node.script("FLUSH")), Promise.resolve<unknown>(undefined));
    expect(await calls.open(one, null, 1)).toBe(true);
  }
});
