import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, freePorts, type Running, startRedis } from "@coupon/testkit";
import { Redis } from "ioredis";

const SLOTS = 16_384;

export interface RealCluster {
  /** For `connectRedis` with `cluster`. */
  url: string;
  nodes: Running[];
  stop(): Promise<void>;
}

/** Starts a Redis Cluster of three masters and resolves once each of them says that it is whole. */
export async function startCluster(): Promise<RealCluster> {
  const directory = mkdtempSync(join(tmpdir(), "coupon-cluster-"));
  const ports = await freePorts(6);
  const nodes = await Promise.all(
    [0, 1, 2].map((index) => {
      const own = join(directory, `${index}`);
      mkdirSync(own);
      return startRedis({
        directory: own,
        ephemeral: true,
        port: ports[index] as number,
        clusterBusPort: ports[index + 3] as number,
      });
    }),
  );
  await join3(nodes, ports);
  return {
    url: nodes.map(({ url }) => url).join(","),
    nodes,
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function join3(nodes: Running[], ports: number[]): Promise<void> {
  const clients = nodes.map(({ url }) => new Redis(url));
  try {
    for (const [index, client] of clients.entries()) {
      const from = Math.floor((SLOTS * index) / 3);
      await client.cluster("ADDSLOTSRANGE", from, Math.floor((SLOTS * (index + 1)) / 3) - 1);
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
      if (index > 0)
        await clients[0]?.call("CLUSTER", "MEET", "127.0.0.1", ports[index] as number, ports[index + 3] as number);
    }
    await eventually(async () => {
      for (const client of clients) {
        const info = String(await client.cluster("INFO"));
        if (!info.includes("cluster_state:ok") || !info.includes("cluster_known_nodes:3")) return false;
      }
      return true;
    });
  } finally {
    for (const client of clients) client.disconnect();
  }
}
