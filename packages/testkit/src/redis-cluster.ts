import { rmSync } from "node:fs";
import { join } from "node:path";
import { askRedis, freePorts, type Running, startRedis } from "@coupon/stack";
import { eventually } from "./eventually.ts";
import { createFaultProxy, type FaultProxy } from "./fault-proxy.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A Redis Cluster of real masters on loopback. */
export interface RedisCluster {
  /** Its nodes for `REDIS_URL`, with commas; set `REDIS_CLUSTER=true` beside it. */
  readonly url: string;
  readonly nodes: readonly Running[];
  /** One a node, in order, where the cluster was asked for with `proxied`: clients are told to go through them. */
  readonly proxies: readonly FaultProxy[];
  /** The node, by its place in `nodes`, that serves the key's slot now. */
  ownerOf(key: string): Promise<number>;
  /**
   * Moves the slot of a key to another master as an operator does, key by key, while clients go on; resolves with how
   * many keys were moved. `midway` is called while they are partly here and partly there.
   */
  moveSlot(key: string, to: number, midway?: () => Promise<unknown>): Promise<number>;
  /** Starts a replica of that master and waits until it is level with it; it joins `nodes`, and `proxies`. */
  addReplica(of: number): Promise<number>;
  /** Stops all nodes and removes their data. */
  stop(): Promise<void>;
}

interface Node {
  readonly running: Running;
  readonly busPort: number;
  readonly proxy: FaultProxy | undefined;
}

const SLOTS = 16_384;
const KEYS_MOVED_AT_ONCE = 20;

/**
 * Starts `masters` nodes in cluster mode, shares the slots out evenly, makes them meet and waits until every one
 * of them sees all slots served. They die with this process. Takes 1–3 s.
 */
export async function startRedisCluster({
  masters = 3,
  proxied = false,
}: {
  masters?: number;
  proxied?: boolean;
} = {}): Promise<RedisCluster> {
  const folder = temporaryFolder("redis-cluster");
  const nodes: Node[] = [];
  const add = async (): Promise<Node> => {
    const node = await startNode(join(folder, String(nodes.length)), proxied);
    nodes.push(node);
    return node;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map(({ running }) => running.stop()));
    await Promise.all(nodes.map(({ proxy }) => proxy?.close()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    while (nodes.length < masters) await add();
    await shareSlots(nodes);
  } catch (error) {
    await stop();
    throw error;
  }
  const at = (index: number): Node => {
    const node = nodes[index];
    if (node === undefined) throw new RangeError(`the cluster has no node ${index}`);
    return node;
  };
  return {
    url: nodes
      .map(({ running, proxy }) => (proxy === undefined ? running.url : `redis://127.0.0.1:${proxy.port}`))
      .join(","),
    get nodes() {
      return nodes.map(({ running }) => running);
    },
    get proxies() {
      return nodes.flatMap(({ proxy }) => proxy ?? []);
    },
    ownerOf: (key) => ownerOf(nodes, key),
    moveSlot: async (key, to, midway) => moveSlot(nodes, at(await ownerOf(nodes, key)), at(to), key, midway),
    async addReplica(of) {
      const replica = await add();
      await becomeReplica(nodes, at(of), replica);
      return nodes.indexOf(replica);
    },
    stop,
  };
}

async function startNode(directory: string, proxied: boolean): Promise<Node> {
  const [busPort = 0] = await freePorts(1);
  const running = await startRedis({ directory, ephemeral: true, clusterBusPort: busPort });
  if (!proxied) return { running, busPort, proxy: undefined };
  const proxy = await createFaultProxy({ port: running.port });
  await order(running, "CONFIG", "SET", "cluster-announce-port", String(proxy.port));
  return { running, busPort, proxy };
}

async function ask(node: Running, ...words: string[]): Promise<string> {
  return String(await askRedis(node.port, ...words));
}

/** Sends a command that must answer OK. */
async function order(node: Running, ...words: string[]): Promise<void> {
  const reply = await ask(node, ...words);
  if (!reply.startsWith("+OK")) throw new Error(`${words.join(" ")} at ${node.url}: ${reply.trim()}`);
}

const idOf = async (node: Node): Promise<string> => (await ask(node.running, "CLUSTER", "MYID")).split("\r\n")[1] ?? "";

async function isWhole({ running }: Node, count: number, masters: number): Promise<boolean> {
  const info = await ask(running, "CLUSTER", "INFO");
  const wanted = [
    "cluster_state:ok",
    `cluster_slots_ok:${SLOTS}`,
    `cluster_known_nodes:${count}`,
    `cluster_size:${masters}`,
  ];
  return wanted.every((line) => info.includes(`${line}\r\n`));
}

async function untilWhole(nodes: readonly Node[], masters: number): Promise<void> {
  const all = () => Promise.all(nodes.map((node) => isWhole(node, nodes.length, masters)));
  await eventually(async () => (await all()).every(Boolean), { timeoutMs: 30_000 });
}

/** Each meets the first, and gossip does the rest. */
async function meet(node: Node, first: Node | undefined): Promise<void> {
  if (first === undefined || first === node) return;
  await order(node.running, "CLUSTER", "MEET", "127.0.0.1", String(first.running.port), String(first.busPort));
}

async function shareSlots(nodes: readonly Node[]): Promise<void> {
  const share = (index: number): number => Math.floor((index * SLOTS) / nodes.length);
  for (const [index, node] of nodes.entries()) {
    await order(node.running, "CLUSTER", "ADDSLOTSRANGE", String(share(index)), String(share(index + 1) - 1));
    await order(node.running, "CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
    await meet(node, nodes[0]);
  }
  await untilWhole(nodes, nodes.length);
}

async function slotOf(nodes: readonly Node[], key: string): Promise<string> {
  const [first] = nodes;
  return first === undefined ? "" : (await ask(first.running, "CLUSTER", "KEYSLOT", key)).slice(1).trim();
}

async function ownerOf(nodes: readonly Node[], key: string): Promise<number> {
  const replies = await Promise.all(nodes.map(({ running }) => ask(running, "EXISTS", key)));
  return replies.findIndex((reply) => reply.startsWith(":"));
}

async function moveSlot(
  nodes: readonly Node[],
  source: Node,
  target: Node,
  key: string,
  midway?: () => Promise<unknown>,
): Promise<number> {
  const slot = await slotOf(nodes, key);
  const targetId = await idOf(target);
  await order(target.running, "CLUSTER", "SETSLOT", slot, "IMPORTING", await idOf(source));
  await order(source.running, "CLUSTER", "SETSLOT", slot, "MIGRATING", targetId);
  let moved = 0;
  for (;;) {
    const reply = await ask(source.running, "CLUSTER", "GETKEYSINSLOT", slot, String(KEYS_MOVED_AT_ONCE));
    const keys = reply
      .split("\r\n")
      .filter((_, line) => line > 0 && line % 2 === 0 && line > 1)
      .filter(Boolean);
    if (keys.length === 0) break;
    const { port } = target.running;
    await order(source.running, "MIGRATE", "127.0.0.1", String(port), "", "0", "5000", "KEYS", ...keys);
    if (moved === 0) await midway?.();
    moved += keys.length;
  }
  for (const node of [target, source, ...nodes.filter((one) => one !== target && one !== source)]) {
    const reply = await ask(node.running, "CLUSTER", "SETSLOT", slot, "NODE", targetId);
    if (!reply.startsWith("+OK") && !reply.includes("only with masters")) throw new Error(reply);
  }
  return moved;
}

async function becomeReplica(nodes: readonly Node[], master: Node, replica: Node): Promise<void> {
  await meet(replica, nodes[0]);
  const id = await idOf(master);
  await eventually(async () => (await ask(replica.running, "CLUSTER", "NODES")).includes(id), { timeoutMs: 30_000 });
  await order(replica.running, "CLUSTER", "REPLICATE", id);
  await untilWhole(nodes, nodes.length - 1);
  await eventually(async () => (await ask(replica.running, "INFO", "replication")).includes("master_link_status:up"), {
    timeoutMs: 30_000,
  });
}
