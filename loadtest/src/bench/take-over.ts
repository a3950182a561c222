import { setTimeout as sleep } from "node:timers/promises";
import { CouponClient } from "@coupon/client";
import type { DemoCaller, Desk, LocalStack } from "@coupon/demo";
import { decodeLogPositions } from "@coupon/events";
import { connectRedis, createLeases, type Leases } from "@coupon/redis";
import { makeBatch } from "./batches.ts";
import { type Measure, toMeasure } from "./measures.ts";

export interface TakeOverContext {
  /** A stack with two issuing processes. */
  local: LocalStack;
  desk: Desk;
  caller: DemoCaller;
  rounds: number;
  progress: (text: string) => void;
}

const probesPerSecond = 250;
const probesAtOnceMax = 2_000;
const settledWithinMs = 60_000;
const takenOverWithinMs = 30_000;

/**
 * Kills one of two issuing processes with SIGKILL while users claim from all partitions, and times the first success
 * of each partition that it owned, among the claims that began after the kill. A sample is the slowest partition.
 */
export async function measureTakeOver(context: TakeOverContext): Promise<Measure> {
  const { local, caller, desk, progress } = context;
  const { partitions } = local.log;
  // Consecutive shards fall on consecutive partitions: as many shards as partitions reach all of them.
  const batch = await makeBatch(desk, "take over", { total: 100_000_000, perUser: 1 }, partitions);
  const redis = await connectRedis({ url: local.addresses.redisUrl, cluster: false });
  const leases = createLeases({ redis, prefix: local.keyPrefix });
  const { keyId, secret } = caller;
  const client = new CouponClient({ baseUrl: local.urls.issuing, keyId, secret, attemptsMax: 1, connections: 512 });
  const prober = new Prober(client, batch.batchId);
  const samples: number[] = [];
  try {
    for (let round = 0; round < context.rounds; round += 1) {
      const owners = await untilSettled(leases, prober, partitions);
      const pids = [local.stack.pids().issuing ?? []].flat();
      const victim = pids[round % pids.length] ?? 0;
      const owned = [...owners].filter(([, owner]) => owner.split("-").includes(String(victim))).map(([it]) => it);
      if (owned.length === 0) throw new Error(`No partition is owned by the process ${victim}`);
      const killedAt = performance.now();
      process.kill(victim, "SIGKILL");
      const seconds = await untilServed(prober, owned, killedAt);
      samples.push(seconds);
      progress(`take_over, round ${round + 1}: ${owned.length} partitions after ${seconds.toFixed(2)} s`);
    }
  } finally {
    await prober.stop();
    await client.close();
    await redis.close();
  }
  return toMeasure("take_over", samples, `the slowest of its partitions, ${probesPerSecond} claims a second as probes`);
}

/** Claims at a steady rate, and remembers of each partition when the last claim began that succeeded. */
class Prober {
  readonly #client: CouponClient;
  readonly #batchId: string;
  readonly #successes = new Map<number, { beganAt: number; endedAt: number }>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #ordinal = 0;

  constructor(client: CouponClient, batchId: string) {
    this.#client = client;
    this.#batchId = batchId;
    this.#timer = setInterval(() => this.#probe(), 1_000 / probesPerSecond);
  }

  /** First success since then of each partition that has one; call `forget` first. */
  successes(): ReadonlyMap<number, { beganAt: number; endedAt: number }> {
    return this.#successes;
  }

  forget(): void {
    this.#successes.clear();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
  }

  #probe(): void {
    if (this.#underWay.size >= probesAtOnceMax) return;
    const beganAt = performance.now();
    this.#ordinal += 1;
    const userId = `probe-${Date.now().toString(36)}-${this.#ordinal}`;
    const probe = this.#client.claim(this.#batchId, { userId }).then((result) => {
      this.#underWay.delete(probe);
      if (!result.ok) return;
      for (const partition of decodeLogPositions(result.logPosition ?? "")?.keys() ?? []) {
        const before = this.#successes.get(partition);
        const endedAt = performance.now();
        if (before === undefined || endedAt < before.endedAt) this.#successes.set(partition, { beganAt, endedAt });
      }
    });
    this.#underWay.add(probe);
  }
}

/** Waits until two processes share the partitions evenly and all of them serve. */
async function untilSettled(leases: Leases, prober: Prober, partitions: number): Promise<Map<number, string>> {
  const deadline = performance.now() + settledWithinMs;
  while (performance.now() < deadline) {
    const owners = await leases.owners(partitions);
    const counts = Map.groupBy(owners, (it) => it ?? "");
    prober.forget();
    await sleep(1_000);
    const stable = (await leases.owners(partitions)).every((it, partition) => it === owners[partition]);
    if (counts.size === 2 && !counts.has("") && stable && prober.successes().size === partitions) {
      return new Map(owners.map((it, partition) => [partition, it ?? ""]));
    }
  }
  throw new Error(`Two issuing processes did not share the partitions within ${settledWithinMs} ms`);
}

async function untilServed(prober: Prober, owned: number[], killedAt: number): Promise<number> {
  const deadline = performance.now() + takenOverWithinMs;
  const served = new Map<number, number>();
  while (performance.now() < deadline) {
    for (const partition of owned) {
      const success = prober.successes().get(partition);
      // What began before the kill may be an answer that was already on its way.
      if (success !== undefined && success.beganAt > killedAt && !served.has(partition)) {
        served.set(partition, success.endedAt);
      }
    }
    if (served.size === owned.length) return (Math.max(...served.values()) - killedAt) / 1_000;
    prober.forget();
    await sleep(5);
  }
  throw new Error(`Of ${owned.length} partitions ${served.size} were served again within ${takenOverWithinMs} ms`);
}
