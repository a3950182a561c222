import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { decodeCouponId, partitionOf } from "@coupon/domain";
import { connectRedis, createLeases, type Leases, type RedisConnection } from "@coupon/redis";
import { createKeys } from "@coupon/redis/testing";
import { eventually, freePorts, uniqueName } from "@coupon/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { wishedOwner } from "../src/owner/leases.ts";
import { type Acknowledged, KeepAliveCrowd } from "./support/keep-alive-crowd.ts";
import { PARTITIONS, World } from "./support/world.ts";

const world = new World();
const { caller } = world;
const children = new Set<ChildProcess>();
const crowds: KeepAliveCrowd[] = [];
const everyPartition = Array.from({ length: PARTITIONS }, (_, partition) => partition);
let redis: RedisConnection;
let leases: Leases;

beforeAll(async () => {
  await world.start();
  redis = await connectRedis({ url: process.env.REDIS_URL ?? "", cluster: false });
  leases = createLeases({ redis, prefix: world.prefix });
});
afterEach(async () => {
  for (const crowd of crowds.splice(0)) await crowd.stop();
  for (const child of children) await end(child, "SIGKILL");
});
afterAll(async () => {
  await redis.close();
  await world.close();
});

interface Spawned {
  child: ChildProcess;
  processId: string;
  baseUrl: string;
}

/** An issuing process of its own, that can be killed. */
async function spawnIssuing(port: number, processId = uniqueName("p"), env = {}): Promise<Spawned> {
  const [internalPort] = await freePorts(1);
  const child = spawn(process.execPath, [new URL("../src/main.ts", import.meta.url).pathname], {
    env: {
      ...process.env,
      ...world.env,
      PORT: String(port),
      REUSE_PORT: "true",
      INTERNAL_PORT: String(internalPort),
      PROCESS_ID: processId,
      ...env,
    },
    stdio: ["ignore", "inherit", "inherit"],
  });
  children.add(child);
  const internalUrl = `http://127.0.0.1:${internalPort}`;
  await eventually(async () => (await fetch(`${internalUrl}/readyz`)).ok, { timeoutMs: 20_000 });
  const baseUrl = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(`${baseUrl}/readyz`)).ok, { timeoutMs: 20_000 });
  return { child, processId, baseUrl };
}

/** Two processes on one port, each the owner of some partitions, and where all of them serve. */
async function spawnTwo(env = {}): Promise<{ first: Spawned; second: Spawned; batchId: string }> {
  const [port] = (await freePorts(1)) as [number];
  const ids = idsThatShare();
  const first = await spawnIssuing(port, ids[0], env);
  const second = await spawnIssuing(port, ids[1], env);
  caller.baseUrl = first.baseUrl;
  const wished = everyPartition.map((partition) => wishedOwner(partition, membersOf(ids)));
  await eventually(async () => expect(await leases.owners(PARTITIONS)).toEqual(wished) ?? true);
  return { first, second, batchId: await openBatch() };
}

const membersOf = (ids: readonly string[]) => ids.map((processId) => ({ processId, address: "" }));

/** Who owns what goes by the processes' names, and a draw of them may leave one without a partition. */
function idsThatShare(): [string, string] {
  for (;;) {
    const ids: [string, string] = [uniqueName("p"), uniqueName("p")];
    const owners = new Set(everyPartition.map((partition) => wishedOwner(partition, membersOf(ids))));
    if (owners.size === 2) return ids;
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
  children.delete(child);
}

function claimOn16Connections(batchId: string): KeepAliveCrowd {
  const crowd = new KeepAliveCrowd(caller, batchId, 16);
  crowds.push(crowd);
  return crowd;
}

/** Every acknowledged claim is still what its key gives, and no coupon went to two users. */
async function expectNothingLost(batchId: string, acknowledged: Map<string, Acknowledged>): Promise<void> {
  expect(new Set([...acknowledged.values()].map(({ couponId }) => couponId)).size).toBe(acknowledged.size);
  for (const [user, { couponId }] of acknowledged) {
    const again = await caller.claim(batchId, user, user);
    expect([again.status, again.body.couponId]).toEqual([200, couponId]);
  }
}

async function openBatch(): Promise<string> {
  const { batchId } = await world.publishBatch({ stock: { total: 1_000_000, perUser: 1 }, shards: 4 });
  await eventually(async () => {
    const probes = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((i) => caller.claim(batchId, `probe-${i}`, "probe")));
    return probes.every(({ status }) => status < 300);
  });
  return batchId;
}

/** Partitions that are named by the coupons of claims that were sent after a moment. */
function servedSince(acknowledged: Map<string, Acknowledged>, sinceMs: number): Set<number> {
  const served = new Set<number>();
  for (const { couponId, askedAtMs } of acknowledged.values()) {
    if (askedAtMs < sinceMs) continue;
    const place = decodeCouponId(couponId);
    if (place !== null) served.add(partitionOf(place.batchNumber, place.shard, PARTITIONS));
  }
  return served;
}

/** For how long leases of a process keep others from its partitions. */
async function leasesLastMs(processId: string): Promise<number> {
  const keys = createKeys(world.prefix);
  const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
  const standing = [await redis.hget(keys.members(), processId), ...(await redis.hvals(keys.owners()))];
  const expires = standing.flatMap((value, index) => {
    const [at = "", who] = (value ?? "").split(" ");
    return value !== null && (index === 0 || who === processId) ? [Number(at)] : [];
  });
  return Math.max(...expires) - (seconds * 1_000 + Math.floor(micros / 1_000));
}

describe("owners", () => {
  test("kill -9 of one of two processes loses nothing acknowledged, and the other serves each of its partitions", async () => {
    const { first, second, batchId } = await spawnTwo();
    const owners = await leases.owners(PARTITIONS);
    const lost = everyPartition.filter((partition) => owners[partition] === second.processId);
    expect(lost.length).toBeGreaterThan(0);
    const claims = claimOn16Connections(batchId);
    await eventually(() => servedSince(claims.acknowledged, 0).size === PARTITIONS && claims.acknowledged.size > 300);
    await end(second.child, "SIGKILL");
    const killedAtMs = performance.now();
    expect(await leasesLastMs(second.processId)).toBeLessThanOrEqual(Number(world.env.LEASE_TTL_MS));
    await eventually(() => {
      const served = servedSince(claims.acknowledged, killedAtMs);
      return lost.every((partition) => served.has(partition));
    });
    await claims.stop();
    const firstAlone = everyPartition.map(() => first.processId);
    await eventually(async () => expect(await leases.owners(PARTITIONS)).toEqual(firstAlone) ?? true);
    expect(claims.unexpected).toEqual([]);
    await expectNothingLost(batchId, claims.acknowledged);
    await end(first.child, "SIGTERM");
  });

  test("are missed in time: the leases of a process that was killed are over in less than half of 5 s", () => {
    const { LEASE_TTL_MS } = readConfig({ ...world.env, LEASE_TTL_MS: undefined, PORT: "1", INTERNAL_PORT: "2" });
    const untilSeenMs = LEASE_TTL_MS / 5;
    expect(LEASE_TTL_MS + untilSeenMs).toBeLessThan(5_000 / 2);
  });

  test("SIGTERM under load hands over: no request that was read goes without its answer", async () => {
    // Long enough for a hand-over on a busy machine: whoever asks meanwhile waits, and is not told to come again.
    const { first, second, batchId } = await spawnTwo({ REQUEST_DEADLINE_MS: "15000", RECOVERY_PATIENCE_MS: "15000" });
    const claims = claimOn16Connections(batchId);
    await eventually(() => claims.acknowledged.size > 300);
    await end(first.child, "SIGTERM");
    expect(first.child.exitCode).toBe(0);
    const endedAtMs = performance.now();
    await eventually(() => servedSince(claims.acknowledged, endedAtMs).size === PARTITIONS);
    await claims.stop();
    expect({ cut: claims.cut, notNow: claims.notNow }).toEqual({ cut: [], notNow: [] });
    expect(claims.unexpected).toEqual([]);
    await expectNothingLost(batchId, claims.acknowledged);
    await end(second.child, "SIGTERM");
  });

  test("all processes killed and one started anew: everything acknowledged is there", async () => {
    const [port] = (await freePorts(1)) as [number];
    const first = await spawnIssuing(port);
    caller.baseUrl = first.baseUrl;
    const batchId = await openBatch();
    const claims = claimOn16Connections(batchId);
    await eventually(() => claims.acknowledged.size > 300);
    await end(first.child, "SIGKILL");
    const killedAtMs = performance.now();
    const again = await spawnIssuing(port);
    await eventually(() => servedSince(claims.acknowledged, killedAtMs).size === PARTITIONS);
    await claims.stop();
    expect(claims.unexpected).toEqual([]);
    await expectNothingLost(batchId, claims.acknowledged);
    await end(again.child, "SIGTERM");
  });
});
