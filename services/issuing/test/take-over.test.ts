import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { eventually, freePorts, uniqueName } from "@coupon/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { World } from "./support/world.ts";

const world = new World();
const { caller } = world;
const children = new Set<ChildProcess>();

beforeAll(() => world.start());
afterAll(async () => {
  for (const child of children) await end(child, "SIGKILL");
  await world.close();
});

interface Spawned {
  child: ChildProcess;
  baseUrl: string;
}

/** An issuing process of its own, that can be killed. */
async function spawnIssuing(port: number): Promise<Spawned> {
  const [internalPort] = await freePorts(1);
  const child = spawn(process.execPath, [new URL("../src/main.ts", import.meta.url).pathname], {
    env: {
      ...process.env,
      ...world.env,
      PORT: String(port),
      REUSE_PORT: "true",
      INTERNAL_PORT: String(internalPort),
      PROCESS_ID: uniqueName("p"),
    },
    stdio: ["ignore", "inherit", "inherit"],
  });
  children.add(child);
  const internalUrl = `http://127.0.0.1:${internalPort}`;
  await eventually(async () => (await fetch(`${internalUrl}/readyz`)).ok, { timeoutMs: 20_000 });
  const baseUrl = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(`${baseUrl}/readyz`)).ok, { timeoutMs: 20_000 });
  return { child, baseUrl };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
  children.delete(child);
}

/** Claims until it is stopped, one user after another, repeating a claim until its outcome is known. */
function crowd(batchId: string, connections: number) {
  const acknowledged = new Map<string, string>();
  const unexpected: string[] = [];
  let users = 0;
  let stopped = false;
  const one = async () => {
    while (!stopped) {
      users += 1;
      const user = `user-${users}`;
      for (;;) {
        const answer = await caller.claim(batchId, user, user).catch(() => null);
        if (answer !== null && answer.status < 300) {
          acknowledged.set(user, answer.body.couponId as string);
          break;
        }
        if (answer !== null && answer.status !== 503) {
          unexpected.push(JSON.stringify(answer.body));
          break;
        }
        if (stopped) break;
      }
    }
  };
  const runs = Array.from({ length: connections }, one);
  return {
    acknowledged,
    unexpected,
    async stop() {
      stopped = true;
      await Promise.all(runs);
    },
  };
}

/** Every acknowledged claim is still what its key gives, and no coupon went to two users. */
async function expectNothingLost(batchId: string, acknowledged: Map<string, string>): Promise<void> {
  expect(new Set(acknowledged.values()).size).toBe(acknowledged.size);
  for (const [user, couponId] of acknowledged) {
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

describe("owners", () => {
  test("kill -9 of one of two processes loses nothing acknowledged, and the other takes over", async () => {
    const [port] = (await freePorts(1)) as [number];
    const first = await spawnIssuing(port);
    const second = await spawnIssuing(port);
    caller.baseUrl = first.baseUrl;
    const batchId = await openBatch();
    const claims = crowd(batchId, 16);
    await eventually(() => claims.acknowledged.size > 300);
    await end(second.child, "SIGKILL");
    const before = claims.acknowledged.size;
    await eventually(() => claims.acknowledged.size > before + 500, { timeoutMs: 20_000 });
    await claims.stop();
    expect(claims.unexpected).toEqual([]);
    await expectNothingLost(batchId, claims.acknowledged);
    await end(first.child, "SIGTERM");
  });

  test("SIGTERM under load hands over: no request that was read goes without its answer", async () => {
    const [port] = (await freePorts(1)) as [number];
    const first = await spawnIssuing(port);
    const second = await spawnIssuing(port);
    caller.baseUrl = first.baseUrl;
    const batchId = await openBatch();
    const claims = crowd(batchId, 16);
    await eventually(() => claims.acknowledged.size > 300);
    await end(first.child, "SIGTERM");
    expect(first.child.exitCode).toBe(0);
    const before = claims.acknowledged.size;
    await eventually(() => claims.acknowledged.size > before + 500, { timeoutMs: 20_000 });
    await claims.stop();
    expect(claims.unexpected).toEqual([]);
    await expectNothingLost(batchId, claims.acknowledged);
    await end(second.child, "SIGTERM");
  });

  test("all processes killed and one started anew: everything acknowledged is there", async () => {
    const [port] = (await freePorts(1)) as [number];
    const first = await spawnIssuing(port);
    caller.baseUrl = first.baseUrl;
    const batchId = await openBatch();
    const claims = crowd(batchId, 16);
    await eventually(() => claims.acknowledged.size > 300);
    await end(first.child, "SIGKILL");
    const again = await spawnIssuing(port);
    const before = claims.acknowledged.size;
    await eventually(() => claims.acknowledged.size > before + 300, { timeoutMs: 20_000 });
    await claims.stop();
    expect(claims.unexpected).toEqual([]);
    await expectNothingLost(batchId, claims.acknowledged);
    await end(again.child, "SIGTERM");
  });
});
