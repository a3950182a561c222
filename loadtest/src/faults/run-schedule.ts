import { setTimeout as sleep } from "node:timers/promises";
import { checkHistory, type Finding, type History } from "@coupon/history";
import { KnownCoupons, runClient } from "./clients.ts";
import { empty, heal, takeHistory } from "./heal.ts";
import { type Done, inject } from "./inject.ts";
import type { Parts } from "./parts.ts";
import { Platform } from "./platform.ts";
import type { Schedule } from "./schedule.ts";

/** A promise that does not hold; `stuck` is what had not healed in time, `not_sold` a batch not sold to the last. */
export type Violation = Finding | { promise: "stuck" | "not_sold"; detail: string };

export interface Result {
  schedule: Schedule;
  violations: Violation[];
  history: History;
  /** In the order in which they began. */
  faults: Done[];
  /** `performance.now()` at the beginning of the workload. */
  beganAtMs: number;
  /** What the processes wrote, where there is a violation. */
  outputs: string;
  tookMs: number;
}

/** Runs one schedule on a fresh platform over these parts and decides every promise by its history. */
export async function runSchedule(parts: Parts, schedule: Schedule): Promise<Result> {
  const startedAtMs = performance.now();
  const platform = new Platform(parts, schedule);
  try {
    await platform.start();
    // What is measured is faults while everything serves, so all shards are opened first.
    const unready = await heal(platform, schedule.batches);
    if (unready.length > 0) throw new Error(`the platform does not begin to serve: ${unready.join("; ")}`);
    const beganAtMs = performance.now();
    const faults = await underFaults(platform, schedule, beganAtMs);
    parts.heal();
    const gone = faults.flatMap((done) => (done.stuck === "" ? [] : [done.stuck]));
    const stuck = [...gone, ...(await settleAll(platform, schedule))];
    const drained = await platform.endIssuing();
    const taken = await takeHistory(platform);
    const violations = [
      ...checkHistory(taken.history),
      ...[...stuck, ...taken.stuck].map((detail) => ({ promise: "stuck" as const, detail })),
      ...drained.map((name) => ({ promise: "stuck" as const, detail: `${name} did not drain in time` })),
      ...(stuck.length > 0 ? [] : unsold(schedule, platform, taken.history)),
    ];
    return {
      ...{ schedule, violations, history: taken.history, faults, beganAtMs },
      outputs: violations.length === 0 ? "" : platform.outputs(),
      tookMs: performance.now() - startedAtMs,
    };
  } finally {
    parts.heal();
    await platform.close();
  }
}

async function underFaults(platform: Platform, schedule: Schedule, beganAtMs: number): Promise<Done[]> {
  const until = beganAtMs + schedule.lastsMs;
  const known = new KnownCoupons();
  const at = async <T>(atMs: number, act: () => Promise<T>): Promise<T> => {
    await sleep(Math.max(0, beganAtMs + atMs - performance.now()));
    return act();
  };
  const [faults] = await Promise.all([
    Promise.all(schedule.faults.map((fault) => at(fault.atMs, () => inject(platform, fault)))),
    Promise.all(schedule.ruleChanges.map((change) => at(change.atMs, () => platform.batches.change(change)))),
    Promise.all(schedule.clients.map((plan) => runClient(platform, plan, known, until))),
  ]);
  return faults.sort((one, other) => one.fromMs - other.fromMs);
}

async function settleAll(platform: Platform, schedule: Schedule): Promise<string[]> {
  const stuck = await heal(platform, schedule.batches);
  if (stuck.length > 0) return stuck;
  const drains = schedule.batches.flatMap(({ purpose }, batch) => (purpose === "drain" ? [batch] : []));
  return (await Promise.all(drains.map((batch) => empty(platform, batch)))).flat();
}

/** A batch that was emptied has issued its stock to the unit. */
function unsold(schedule: Schedule, platform: Platform, { ledger }: History): Violation[] {
  return schedule.batches.flatMap(({ purpose }, batch): Violation[] => {
    if (purpose !== "drain") return [];
    const { batchId, batchNumber, stock } = platform.batches.latest(batch);
    const ofBatch = ledger?.shards.filter((shard) => shard.batch === batchNumber) ?? [];
    const issued = ofBatch.reduce((sum, shard) => sum + shard.issued, 0);
    if (issued === stock.total) return [];
    return [{ promise: "not_sold", detail: `${batchId} has issued ${issued} of ${stock.total}` }];
  });
}
