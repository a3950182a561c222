import { setTimeout as sleep } from "node:timers/promises";
import { checkHistory, type Finding, type History } from "@coupon/history";
import { KnownCoupons, runClient } from "./clients.ts";
import { empty, heal, takeHistory } from "./heal.ts";
import { type Done, inject } from "./inject.ts";
import type { Parts } from "./parts.ts";
import { Platform, Stuck } from "./platform.ts";
import type { Schedule } from "./schedule.ts";

/**
 * A promise that does not hold; `stuck` is what had not healed or ended in time, `not_sold` a batch not sold to the
 * last, `audit` what the ledger's own audit found.
 */
export type Violation = Finding | { promise: "stuck" | "not_sold" | "audit"; detail: string };

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

/**
 * Runs one schedule on a fresh platform over these parts and decides every promise by its history. A platform that does
 * not even begin to serve is stuck, too, with a history of what there is.
 */
export async function runSchedule(parts: Parts, schedule: Schedule): Promise<Result> {
  const startedAtMs = performance.now();
  const platform = new Platform(parts, schedule);
  const finish = (run: Run): Result => ({
    ...{ schedule, ...run },
    outputs: run.violations.length === 0 ? "" : platform.outputs(),
    tookMs: performance.now() - startedAtMs,
  });
  try {
    const unready = await begin(platform, schedule);
    const beganAtMs = performance.now();
    if (unready.length > 0) {
      const history = nothingTaken(platform);
      return finish({ violations: violationsOf("stuck", unready), history, faults: [], beganAtMs });
    }
    const faults = await underFaults(platform, schedule, beganAtMs);
    parts.heal();
    return finish({ ...(await judge(platform, schedule, faults)), faults, beganAtMs });
  } finally {
    parts.heal();
    await platform.close();
  }
}

type Run = Pick<Result, "violations" | "history" | "faults" | "beganAtMs">;

/** What is measured is faults while everything serves, so all shards are opened first. Says what does not serve. */
async function begin(platform: Platform, schedule: Schedule): Promise<string[]> {
  try {
    await platform.start();
  } catch (error) {
    if (error instanceof Stuck) return [`the platform does not begin to serve: ${error.message}`];
    throw error;
  }
  const unready = await heal(platform, schedule.batches);
  return unready.map((shard) => `the platform does not begin to serve: ${shard}`);
}

async function judge(
  platform: Platform,
  schedule: Schedule,
  faults: readonly Done[],
): Promise<Pick<Run, "violations" | "history">> {
  const gone = faults.flatMap((done) => (done.stuck === "" ? [] : [done.stuck]));
  const unsettled = await settleAll(platform, schedule);
  const drained = await platform.endIssuing();
  const { history, stuck } = await takeHistory(platform);
  const audited = await platform.audit();
  const violations = [
    ...checkHistory(history),
    ...violationsOf("stuck", [...gone, ...unsettled, ...stuck]),
    ...violationsOf(
      "stuck",
      drained.map((name) => `${name} did not drain in time`),
    ),
    ...violationsOf("audit", audited),
    ...(gone.length + unsettled.length > 0 ? [] : unsold(schedule, platform, history)),
  ];
  return { violations, history };
}

function violationsOf(promise: "stuck" | "audit", details: readonly string[]): Violation[] {
  return details.map((detail) => ({ promise, detail }));
}

function nothingTaken(platform: Platform): History {
  const { terms, operations } = platform.seen;
  return { batches: terms, partitions: platform.log.partitions, operations, log: [], ledger: null };
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
