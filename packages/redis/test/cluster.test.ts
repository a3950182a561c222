import { askRedis, eventually, type RedisCluster, startRedisCluster } from "@coupon/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Applied,
  connectRedis,
  createLeases,
  createOrderGuard,
  createShardCalls,
  type Expectation,
  type RedisConnection,
  RedisUnavailable,
} from "../src/index.ts";
import {
  applied,
  claimOf,
  hashKey,
  lockOf,
  orderOf,
  redeemOf,
  releaseOf,
  reverseOf,
  rulesOf,
} from "./support/shard.ts";

const SHARDS = 12;
const at = Array.from({ length: SHARDS }, (_, shard) => ({ batch: 9, shard }));
const expectation = (hash: string) => ({ epoch: 1, hash, durable: 0, durableOffset: -1 });

let cluster: RedisCluster;
let redis: RedisConnection;
beforeAll(async () => {
  cluster = await startRedisCluster({ proxied: true });
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
      let last = "";
      const did = async (call: (from: Expectation) => Promise<Applied<unknown>>): Promise<void> => {
        const { entry, hash } = applied(await call(expectation(last)));
        if (entry !== null) log[index]?.push(entry);
        last = hash;
      };
      expect(await calls.open(one, null, 1)).toBe(true);
      await did((from) => calls.changeRules(one, from, rulesOf({ buckets: 16 })));
      const users = Array.from({ length: 20 }, (_, n) => claimOf(`user${n}`));
      await did((from) => calls.claim(one, from, [0], users));
      await did((from) => calls.lock(one, from, [lockOf(), lockOf({ serial: 1 })]));
      await did((from) => calls.redeem(one, from, [redeemOf(), redeemOf({ serial: 2, order: orderOf() })]));
      const [record] = await calls.readRecords(one, [0, 1, 2]);
      await did((from) => calls.reverse(one, from, [reverseOf({ recordVersion: record?.version ?? 0 })]));
      await did((from) => calls.release(one, from, [releaseOf({ serial: 1 })]));
      await did((from) => calls.deactivate(one, from, [{ serial: 3, reason: "" }]));
      await did((from) => calls.debit(one, from, { target: 1, amount: 1, credited: 0 }));
      await did((from) => calls.credit(one, from, 2, 1, 1));
      await did((from) => calls.warm(one, from, record ? [{ serial: 0, record: record.record }] : []));
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
  expect((await orders.claim("app/o1", ["A"], 60_000)).outcome).toBe("unsure");
  expect((await orders.restore(async function* () {})).kind).toBe("complete");
  expect((await orders.claim("app/o1", ["A"], 60_000)).outcome).toBe("first");
  expect((await orders.claim("app/o1", ["B"], 60_000)).outcome).toBe("other");
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

test("a call whose reply was lost fails, and runs once", async () => {
  const calls = createShardCalls({ redis, prefix: "e", hashKey });
  for (const one of at) await calls.open(one, null, 1);
  const [one = { batch: 0, shard: 0 }] = at;
  const { hash } = applied(await calls.changeRules(one, expectation(""), rulesOf({ perUser: 9 })));
  await calls.claim(one, expectation(hash), [], [claimOf("ann", "k", { permitted: false })]);
  const owner = cluster.proxies[await cluster.ownerOf(`e{${one.batch}.${one.shard}}:h`)];
  owner?.cutAfterRequest();
  const claim = calls.claim(one, expectation(hash), [], [claimOf("ann")]);
  await expect(claim).rejects.toThrow(RedisUnavailable);
  const header = async () => (await calls.readHeaders([one]).catch(() => []))[0];
  await eventually(async () => (await header())?.number === 2);
  expect(await calls.readOutbox(one)).toHaveLength(2);
});

test("a shard whose slot is about to be moved away is served or refused, and no script breaks off in the middle", async () => {
  const calls = createShardCalls({ redis, prefix: "m", hashKey });
  const one = { batch: 9, shard: 1 };
  expect(await calls.open(one, null, 1)).toBe(true);
  const changed = applied(await calls.changeRules(one, expectation(""), rulesOf({ buckets: 1 })));
  const first = applied(await calls.claim(one, expectation(changed.hash), [0], [claimOf("ann")]));
  const header = "m{9.1}:h";
  const source = await cluster.ownerOf(header);
  const target = (source + 1) % 3;
  const ask = async (node: number, ...words: string[]) =>
    String(await askRedis(cluster.nodes[node]?.port ?? 0, ...words)).trim();
  const slot = (await ask(source, "CLUSTER", "KEYSLOT", header)).slice(1);
  const idOf = async (node: number) => (await ask(node, "CLUSTER", "MYID")).split("\r\n")[1] ?? "";
  await ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", await idOf(source));
  await ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", await idOf(target));
  // Everything before is durable, so that the outbox is trimmed.
  const from = { ...expectation(first.hash), durable: first.number, durableOffset: 7 };
  const second = applied(await calls.claim(one, from, [0], [claimOf("bob")]));
  expect(await calls.readOutbox(one)).toEqual([second.entry]);
  await ask(source, "CLUSTER", "SETSLOT", slot, "STABLE");
  await ask(target, "CLUSTER", "SETSLOT", slot, "STABLE");
});
