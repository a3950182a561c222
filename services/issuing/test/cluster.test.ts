import { partitionOf } from "@coupon/domain";
import { askRedis, eventually, type RedisCluster, startRedisCluster } from "@coupon/testkit";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Crowd } from "./support/crowd.ts";
import { PARTITIONS, type Running, World } from "./support/world.ts";

/** Issuing on a Redis Cluster of three real masters, whose slots and masters change while claims go on. */
const world = new World();
const { caller } = world;
let cluster: RedisCluster;
let crowd: Crowd | undefined;
let issuing: Running;

beforeAll(async () => {
  cluster = await startRedisCluster({ proxied: true });
  await world.start();
  issuing = await world.issuing({ REDIS_URL: cluster.url, REDIS_CLUSTER: "true", RECOVERY_PATIENCE_MS: "300" });
}, 60_000);
afterEach(() => crowd?.stop());
afterAll(async () => {
  await world.close();
  await cluster?.stop();
});

type Published = Awaited<ReturnType<typeof publish>>;

const serving = async (batchId: string) => (await caller.claim(batchId, "first", "k")).status < 300;

function startCrowd(batchId: string): Crowd {
  crowd = new Crowd(caller, batchId);
  crowd.start();
  return crowd;
}

async function publish(): Promise<{ batchId: string; batchNumber: number; header: string }> {
  const { batchId, batchNumber } = await world.publishBatch({ stock: { total: 1_000_000, perUser: 1 } });
  await eventually(() => serving(batchId), { timeoutMs: 20_000 });
  return { batchId, batchNumber, header: `${world.prefix}{${batchNumber}.0}:h` };
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

test.each(["that has the leases", "that has no lease"])(
  "a master %s hangs: a shard on another serves on, also one of the same partition",
  async (which) => {
    // As an operator has it who wants the rest served: a cluster that lacks a master answers nothing by default.
    for (const node of cluster.nodes.keys()) {
      await ask(node, "CONFIG", "SET", "cluster-require-full-coverage", "no");
      // A test before leaves a replica, which would take over.
      await ask(node, "CONFIG", "SET", "cluster-replica-no-failover", "yes");
    }
    const [hung, other] = await publishApart(which === "that has the leases");
    const master = await cluster.ownerOf(hung.header);
    cluster.nodes[master]?.kill("SIGSTOP");
    try {
      const reopenedBefore = await reopened();
      const unanswered = await caller.claim(hung.batchId, `hangs-${which.length}`, "k");
      expect(unanswered.status).toBe(503);
      await eventually(async () => (await reopened()) > reopenedBefore);
      let users = 0;
      await eventually(
        async () => {
          users += 1;
          return (await caller.claim(other.batchId, `hangs-${which.length}-${users}`, "k")).status === 201;
        },
        { timeoutMs: 20_000 },
      );
      expect((await caller.claim(hung.batchId, "another", "k")).body.code).toBe("shard_recovering");
    } finally {
      cluster.nodes[master]?.kill("SIGCONT");
    }
    await eventually(async () => (await caller.claim(hung.batchId, `hangs-${which.length}`, "k")).status < 300, {
      timeoutMs: 20_000,
    });
  },
  90_000,
);

/** Two batches of one partition whose shards are on two masters. */
async function publishApart(withLeases: boolean): Promise<[Published, Published]> {
  const leases = await cluster.ownerOf(`${world.prefix}{leases}:p`);
  const found: (Published & { partition: number; master: number })[] = [];
  for (;;) {
    const published = await publish();
    const partition = partitionOf(published.batchNumber, 0, PARTITIONS);
    const master = await cluster.ownerOf(published.header);
    found.push({ ...published, partition, master });
    const together = found.filter((one) => one.partition === partition);
    const hung = together.find((one) => (one.master === leases) === withLeases);
    const other = together.find((one) => one.master !== hung?.master);
    if (hung !== undefined && other !== undefined) return [hung, other];
  }
}

async function ask(node: number, ...words: string[]): Promise<string> {
  return String(await askRedis(cluster.nodes[node]?.port ?? 0, ...words)).trim();
}

async function reopened(): Promise<number> {
  const text = await (await fetch(`${issuing.baseUrl}/metrics`)).text();
  return Number(/^issuing_partition_reopened_total(?:\{.*\})? (\d+)$/m.exec(text)?.[1] ?? 0);
}

async function offsetOf(node: number, field: string): Promise<number> {
  return Number(new RegExp(`^${field}:(\\d+)`, "m").exec(await ask(node, "INFO", "replication"))?.[1]);
}
