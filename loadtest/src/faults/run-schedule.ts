import { setTimeout as sleep } from "node:timers/promises";
import { readPositions } from "@coupon/database";
import { checkHistory, type Finding, type History } from "@coupon/history";
import { keyHashOf } from "@coupon/redis";
import { eventually } from "@coupon/testkit";
import { readLedger } from "../history/read-ledger.ts";
import { readWholeLog } from "../history/read-log.ts";
import { calmWires, inject } from "./inject.ts";
import type { Parts } from "./parts.ts";
import { PARTITIONS, type Platform, startPlatform } from "./platform.ts";
import { ACTIVE_MS, type Fault, ISSUING_PROCESSES, type Schedule } from "./schedule.ts";
import { runClient, type Wallets } from "./workload.ts";

/** How long the platform has, once the faults are over, to answer every batch and to bring the ledger to the end. */
const HEAL_WITHIN_MS = 20_000;

/** That the platform did not get well in time; no promise of the checker's, but one of the run. */
export interface Stuck {
  promise: "stuck";
  detail: string;
}

export interface RunResult {
  schedule: Schedule;
  findings: (Finding | Stuck)[];
  history: History | null;
  operations: number;
  /** What each process wrote, by name. */
  outputs: Record<string, string>;
  /** From the end of the faults until everything was answered again. */
  healedMs: number;
}

/** Runs a schedule over the parts and decides what was seen. */
export async function runSchedule(parts: Parts, schedule: Schedule): Promise<RunResult> {
  const platform = await startPlatform(parts, schedule);
  const stuck: Stuck[] = [];
  const note = (what: string) => (error: unknown) => {
    stuck.push({ promise: "stuck", detail: `${what}: ${(error as Error).message}` });
  };
  try {
    await disturb(platform, schedule, note("a fault could not be undone"));
    const calmAtMs = performance.now();
    await heal(platform, schedule).catch(note("not healed"));
    const healedMs = Math.round(performance.now() - calmAtMs);
    // Nothing comes to the log any more from here on.
    await Promise.all([...platform.slots].flatMap(([name, slot]) => (name.startsWith("issuing") ? [slot.end()] : [])));
    const history = await settledHistory(platform).catch((error: unknown) => {
      note("the ledger is not at the log's end")(error);
      return null;
    });
    const findings = history === null ? [] : checkHistory(history);
    const outputs = Object.fromEntries([...platform.slots].map(([name, slot]) => [name, slot.output()]));
    const operations = platform.recorder.operations.length;
    return { schedule, findings: [...stuck, ...findings], history, operations, outputs, healedMs };
  } finally {
    calmWires(platform);
    await platform.close();
  }
}

/** Clients and faults at once, until all of both are through. */
async function disturb(platform: Platform, schedule: Schedule, failed: (error: unknown) => void): Promise<void> {
  const startMs = performance.now();
  const wallets: Wallets = new Map();
  const faults = schedule.faults.map((fault) => comeTrue(platform, fault).catch(failed));
  const clients = schedule.clients.map((plan) => runClient(platform, plan, wallets, startMs + ACTIVE_MS));
  await Promise.all([...faults, ...clients]);
  calmWires(platform);
}

async function comeTrue(platform: Platform, fault: Fault): Promise<void> {
  await sleep(fault.atMs);
  await inject(platform, fault);
}

/** Every batch answers by every process again, with something else than "not now". */
async function heal(platform: Platform, { batches }: Schedule): Promise<void> {
  await Promise.all([...platform.slots.values()].map((slot) => slot.start()));
  const { recorder, shop } = platform;
  const asks = batches.flatMap(({ batchNumber, change }) =>
    Array.from({ length: ISSUING_PROCESSES * (change.shards ?? 1) }, async (_, each) => {
      const request = { batchId: `batch-${batchNumber}`, userId: `late-${each}`, idempotencyKey: "k1" };
      const answered = async () => {
        const answer = await recorder.send(shop, "claim", request, "healer", each % ISSUING_PROCESSES);
        if (answer === null || answer.status === 503) throw new Error(`${answer?.body.code ?? "no answer"}`);
        return true;
      };
      await eventually(answered, { timeoutMs: HEAL_WITHIN_MS });
    }),
  );
  await Promise.all(asks);
}

async function settledHistory(platform: Platform): Promise<History> {
  const log = await readWholeLog(platform.log, `${platform.prefix}.checker`);
  const ends = new Map(log.map(({ partition, offset }) => [partition, offset + 1]));
  const applied = async () => {
    const positions = await readPositions(platform.pool, [...ends.keys()]);
    const behind = positions.filter(({ partition, position }) => position !== ends.get(partition));
    if (behind.length > 0) throw new Error(JSON.stringify({ behind, ends: [...ends] }));
    return true;
  };
  await eventually(applied, { timeoutMs: HEAL_WITHIN_MS });
  return {
    batches: platform.batches.terms,
    partitions: PARTITIONS,
    operations: platform.recorder.operations,
    log,
    ledger: await readLedger(platform.pool),
    keyHash: (callerId, via, key) => keyHashOf(platform.hashKey, callerId, via, key),
  };
}
