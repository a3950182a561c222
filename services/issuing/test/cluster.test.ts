import { askRedis, eventually, type RedisCluster, startRedisCluster } from "@coupon/testkit";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Crowd } from "./support/crowd.ts";
import { World } from "./support/world.ts";

/** Issuing on a Redis Cluster of three real masters, whose slots and masters change while claims go on. */
const world = new World();
const { caller } = world;
let cluster: RedisCluster;
let crowd: Crowd | undefined;

beforeAll(async () => {
  cluster = await startRedisCluster({ proxied: true });
  await world.start();
  await world.issuing({ REDIS_URL: cluster.url, REDIS_CLUSTER: "true", RECOVERY_PATIENCE_MS: "300" });
}, 60_000);
afterEach(() => crowd?.stop());
afterAll(async () => {
  await world.close();
  await cluster?.stop();
});

const serving = async (batchId: string) => (await caller.claim(batchId, "first", "k")).status < 300;

function startCrowd(batchId: string): Crowd {
  crowd = new Crowd(caller, batchId);
  crowd.start();
  return crowd;
}

async function publish(): Promise<{ batchId: string; header: string }> {
  const { batchId, batchNumber } = await world.publishBatch({ stock: { total: 1_000_000, perUser: 1 } });
  await eventually(() => serving(batchId), { timeoutMs: 20_000 });
  return { batchId, header: `${world.prefix}{${batchNumber}.0}:h` };
}

/** All that was answered stands, and the shard has issued that and nothing else. */
async function settle(crowd: Crowd, header: string): Promise<void> {
  await crowd.stop();
  expect(crowd.unexpected).toEqual([]);
  expect(await crowd.changed()).toEqual([]);
  const issued = await ask(await cluster.ownerOf(header), "HGET", header, "s");
  // The first claim of the batch is not the crowd's.
  expect(Number(issued.split("\r\n")[1])).toBe(crowd.issued.size + 1);
}

test("a busy shard's slot moves to another master: refused as recovering at most, and nothing is lost", async () => {
  const { batchId, header } = await publish();
  const crowd = startCrowd(batchId);
  await eventually(() => crowd.issued.size > 50);
  const from = await cluster.ownerOf(header);
  const to = (from + 1) % 3;
  const refusedBefore = crowd.refused;
  const moved = await cluster.moveSlot(header, to, () => eventually(() => crowd.refused > refusedBefore));
  expect(moved).toBeGreaterThan(3);
  expect(await cluster.ownerOf(header)).toBe(to);
  const served = crowd.issued.size;
  await eventually(() => crowd.issued.size > served + 50, { timeoutMs: 20_000 });
  await settle(crowd, header);
}, 90_000);

test("a master fails over to a replica that lags: the shard is redone, and nothing is lost", async () => {
  const { batchId, header } = await publish();
  const from = await cluster.ownerOf(header);
  const replica = await cluster.addReplica(from);
  const crowd = startCrowd(batchId);
  await eventually(() => crowd.issued.size > 50);
  // The replica is cut off and can't come back; clients that are connected go on.
  cluster.proxies[from]?.refuse(true);
  await ask(from, "CLIENT", "KILL", "TYPE", "replica");
  const lagsFrom = crowd.issued.size;
  await eventually(() => crowd.issued.size > lagsFrom + 50);
  expect(await offsetOf(replica, "slave_repl_offset")).toBeLessThan(await offsetOf(from, "master_repl_offset"));
  expect(await ask(replica, "CLUSTER", "FAILOVER", "TAKEOVER")).toBe("+OK");
  await eventually(async () => (await ask(from, "ROLE")).includes("slave"), { timeoutMs: 20_000 });
  cluster.proxies[from]?.refuse(false);
  const served = crowd.issued.size;
  await eventually(() => crowd.issued.size > served + 50, { timeoutMs: 30_000 });
  await settle(crowd, header);
}, 90_000);

async function ask(node: number, ...words: string[]): Promise<string> {
  return String(await askRedis(cluster.nodes[node]?.port ?? 0, ...words)).trim();
}

async function offsetOf(node: number, field: string): Promise<number> {
  return Number(new RegExp(`^${field}:(\\d+)`, "m").exec(await ask(node, "INFO", "replication"))?.[1]);
}
