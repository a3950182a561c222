import { rmSync } from "node:fs";
import { join } from "node:path";
import { askRedis, freePorts, type Running, startRedis } from "@coupon/stack";
import { eventually } from "./eventually.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A Redis Cluster of real masters on loopback. */
export interface RedisCluster {
  /** Its nodes for `REDIS_URL`, with commas; set `REDIS_CLUSTER=true` beside it. */
  readonly url: string;
  readonly nodes: readonly Running[];
  /** Stops all nodes and removes their data. */
  stop(): Promise<void>;
}

const SLOTS = 16_384;

/** Sends a command that must answer OK. */
async function order(node: Running, ...words: string[]): Promise<void> {
  const reply = String(await askRedis(node.port, ...words));
  if (!reply.startsWith("+OK")) throw new Error(`${words.join(" ")} at ${node.url}: ${reply.trim()}`);
}

async function isWhole(node: Running, count: number): Promise<boolean> {
  const info = String(await askRedis(node.port, "CLUSTER", "INFO"));
  const wanted = [
    "cluster_state:ok",
    `cluster_slots_ok:${SLOTS}`,
    `cluster_known_nodes:${count}`,
    `cluster_size:${count}`,
  ];
  return wanted.every((line) => info.includes(`${line}\r\n`));
}

/**
 * Starts `masters` nodes in cluster mode, shares the slots out evenly, makes them meet and waits until every one
 * of them sees all slots served. They die with this process. Takes 1–3 s.
 */
export async function startRedisCluster({ masters = 3 }: { masters?: number } = {}): Promise<RedisCluster> {
  const folder = temporaryFolder("redis-cluster");
  const busPorts = await freePorts(masters);
  const nodes: Running[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const [index, clusterBusPort] of busPorts.entries()) {
      nodes.push(await startRedis({ directory: join(folder, String(index)), ephemeral: true, clusterBusPort }));
    }
    await shareSlots(nodes, busPorts);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: nodes.map((node) => node.url).join(","), nodes, stop };
}

async function shareSlots(nodes: readonly Running[], busPorts: readonly number[]): Promise<void> {
  const share = (index: number): number => Math.floor((index * SLOTS) / nodes.length);
  for (const [index, node] of nodes.entries()) {
    await order(node, "CLUSTER", "ADDSLOTSRANGE", String(share(index)), String(share(index + 1) - 1));
    await order(node, "CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
    // Each meets the first, and gossip does the rest.
    const [first] = nodes;
    if (first !== undefined && index > 0) {
      await order(node, "CLUSTER", "MEET", "127.0.0.1", String(first.port), String(busPorts[0]));
    }
  }
  await eventually(async () => (await Promise.all(nodes.map((node) => isWhole(node, nodes.length)))).every(Boolean), {
    timeoutMs: 30_000,
  });
}
