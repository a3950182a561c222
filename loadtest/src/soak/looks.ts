import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Pool } from "@coupon/database";
import type { LocalStack } from "@coupon/demo";
import type { RedisConnection, ShardAddress } from "@coupon/redis";
import { createKeys } from "@coupon/redis/testing";
import { request } from "undici";
import type { Latencies } from "../generator/latencies.ts";
import { heapFigures, readHeap } from "./node-heap.ts";
import { descriptorsOf, familyBytes, residentBytes } from "./process-figures.ts";
import type { Figures } from "./sample.ts";

/** What a look needs. */
export interface LookContext {
  local: LocalStack;
  redis: RedisConnection;
  pool: Pool;
  shards: readonly ShardAddress[];
  /** Where the services write their readings. */
  folder: string;
}

/** Pids by the names of the report: `issuing-1`, `issuing-2`, `ledger`, …. */
export function processesOf(local: LocalStack): Map<string, number> {
  const named = Object.entries(local.stack.pids()).flatMap(([name, pids]): [string, number][] =>
    typeof pids === "number" ? [[name, pids]] : pids.map((pid, index) => [`${name}-${index + 1}`, pid]),
  );
  return new Map(named);
}

/** Looks at every process and at the platform as a whole. Throws where one of them does not answer. */
export async function lookAt(context: LookContext, latencies: Latencies): Promise<Record<string, Figures>> {
  const figures: Record<string, Figures> = {};
  for (const [name, pid] of processesOf(context.local)) figures[name] = await lookAtProcess(context, name, pid);
  figures.platform = {
    outbox: await longestOutbox(context),
    lag: await ledgerLagSeconds(context.local.urls.ledger),
    p99: latencies.percentileMs(0.99),
  };
  return figures;
}

async function lookAtProcess(context: LookContext, name: string, pid: number): Promise<Figures> {
  switch (name) {
    case "redis":
      return lookAtRedis(context.redis, pid);
    case "kafka":
      return { resident: residentBytes(pid), ...descriptorsOf(pid), heap: kafkaHeap(context.local) };
    case "postgres":
      return { resident: familyBytes(pid), connections: await sessions(context.pool) };
    default: {
      const heap = heapFigures(await readHeap(context.folder, pid));
      return { resident: residentBytes(pid), ...descriptorsOf(pid), ...heap };
    }
  }
}

/** `used_memory` in place of the resident one: what the data takes, without what the allocator holds back. */
async function lookAtRedis(redis: RedisConnection, pid: number): Promise<Figures> {
  const info = await redis.info();
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1] ?? Number.NaN);
  const { descriptors } = descriptorsOf(pid);
  return { resident: field("used_memory"), connections: field("connected_clients"), descriptors };
}

async function sessions(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM pg_stat_activity WHERE backend_type = 'client backend'",
  );
  return rows[0]?.count ?? Number.NaN;
}

async function longestOutbox({ redis, local, shards }: LookContext): Promise<number> {
  const keys = createKeys(local.keyPrefix);
  return Math.max(0, ...(await Promise.all(shards.map((at) => redis.llen(keys.outbox(at))))));
}

async function ledgerLagSeconds(ledger: string): Promise<number> {
  const response = await request(`${ledger}/metrics`);
  const text = await response.body.text();
  return Math.max(0, ...[...text.matchAll(/^ledger_lag_seconds\{.*\} (\S+)$/gm)].map(([, value]) => Number(value)));
}

const tailBytes = 64 * 1_024;
const MiB = 2 ** 20;

/** What the last collection left in the broker's heap, by its own log of collections. */
function kafkaHeap(local: LocalStack): number {
  const text = tailOf(join(local.stack.local, "kafka", "gc.log"));
  const [, mebibytes] = [...text.matchAll(/Pause .* \d+M->(\d+)M\(\d+M\)/g)].at(-1) ?? [];
  return Number(mebibytes ?? 0) * MiB;
}

function tailOf(file: string): string {
  const { size } = statSync(file);
  if (size <= tailBytes) return readFileSync(file, "utf8");
  const bytes = Buffer.alloc(tailBytes);
  const descriptor = openSync(file, "r");
  try {
    return bytes.toString("utf8", 0, readSync(descriptor, bytes, 0, tailBytes, size - tailBytes));
  } finally {
    closeSync(descriptor);
  }
}
