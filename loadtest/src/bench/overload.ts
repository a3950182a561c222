import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFeed } from "../generator/feed.ts";
import type { Job, Sample } from "../generator/run.ts";
import { makeBatch } from "./batches.ts";
import { Checkout, type CheckoutFound } from "./checkout.ts";
import { type BenchContext, connections, durationMs, warmUpMs } from "./context.ts";
import { holdCpu } from "./hold-cpu.ts";
import { claimRequests } from "./loads.ts";
import { type Measure, type MeasureId, toMeasure } from "./measures.ts";
import { describeRound, goodput, type Round, reachedOf, roundRatios, summarize } from "./overload-round.ts";

export const overloadMeasureIds = Object.keys(roundRatios) as (keyof typeof roundRatios & MeasureId)[];

/** Part of a core that issuing gets, so that everything else has headroom and it alone is overloaded. */
const cores = 0.4;
const overloadFactor = 5;
/** More than a closed loop gets through in a sample. */
const peakRequests = 100_000;
const calmShare = 0.7;
/** Of these arrivals, in times of the peak, what has to be sent to issuing for an overload to be one. */
const reachedMin = 4.5;
const openConnections = 1_024;
/**
 * Requests that may be under way on a connection of the overload: 1, as for a caller's pool, whose connections wait for
 * their answers. With 64 all arrivals are sent to issuing, whatever it has answered.
 */
const pipelined = Number(process.env.BENCH_OVERLOAD_PIPELINED ?? 1);
const warmUpRounds = 1;
/** More than arrives. */
const spare = 1.1;

interface Target {
  port: number;
  host: string;
  pids: number[];
  claims: string;
}

/**
 * Goodput of claims (201) at five times the arrivals of the peak ÷ at the peak. The peak is what a closed loop gets out,
 * the mean of before and after the overload; the overload is open: requests arrive whatever has been answered, and one
 * that finds all of the callers' connections taken is turned away there, as a caller's pool does. How many were sent to
 * issuing is in the note. Beside it: latency, the critical class, and memory.
 *
 * @throws Error where connections are pipelined and less than 4.5 times the peak was sent all the same
 */
export async function measureOverload(context: BenchContext): Promise<Measure[]> {
  const { host, port } = new URL(context.local.urls.issuing);
  const claims = await makeBatch(context.desk, "overload", { total: 100_000_000, perUser: 1 });
  const redeemable = await makeBatch(context.desk, "checkout", { total: 1_000_000, perUser: 1 });
  const pids = [context.local.stack.pids().issuing ?? []].flat();
  const target = { host, port: Number(port), pids, claims: claims.batchId };
  using hold = holdCpu(pids, cores);
  await using checkout = new Checkout(context, redeemable.batchId);
  const rounds: Round[] = [];
  for (let round = -warmUpRounds; round < context.rounds; round += 1) {
    const found = await measureRound(context, target, checkout, round);
    context.progress(`${round < 0 ? "warm-up" : `round ${round + 1}`}: ${describeRound(found)}`);
    if (round >= 0) rounds.push(found);
  }
  const note = `issuing ${hold.how}; ${summarize(rounds)}`;
  return overloadMeasureIds.map((id) => toMeasure(id, rounds.map(roundRatios[id]), id === "overload" ? note : ""));
}

async function measureRound(context: BenchContext, target: Target, checkout: Checkout, round: number): Promise<Round> {
  const run = `${Date.now().toString(36)}-${round}`;
  const closed = { connections, requests: peakRequests };
  const { sample: peak } = await load(context, target, checkout, { ...closed, run: `${run}-p` });
  const perSecond = goodput(peak);
  const requests = Math.ceil((perSecond * (warmUpMs + durationMs) * spare) / 1_000);
  const open = { connections: openConnections, requests };
  const calmWish = { ...open, run: `${run}-c`, arrivalsPerSecond: perSecond * calmShare };
  const { sample: calm } = await load(context, target, checkout, calmWish);
  const before = residentMiB(target.pids);
  const overloadWish = {
    ...open,
    pipelined,
    requests: requests * overloadFactor,
    run: `${run}-o`,
    arrivalsPerSecond: perSecond * overloadFactor,
  };
  const { sample: overload, found } = await load(context, target, checkout, overloadWish);
  const after = residentMiB(target.pids);
  const { sample: peakAgain } = await load(context, target, checkout, { ...closed, run: `${run}-a` });
  const measured = { peak, peakAgain, calm, overload, checkout: found, residentMiB: [before, after] } satisfies Round;
  if (reachedOf(measured) < reachedMin && pipelined > 1) {
    throw new Error(`overload could not be measured: ${reachedOf(measured).toFixed(2)} times the peak reached issuing`);
  }
  return measured;
}

interface Wish {
  run: string;
  connections: number;
  pipelined?: number;
  requests: number;
  arrivalsPerSecond?: number;
}

/** Claims as wished for, and the same checkout beside each load, so that goodput is compared at one price of it. */
async function load(
  context: BenchContext,
  target: Target,
  checkout: Checkout,
  wish: Wish,
): Promise<{ sample: Sample; found: CheckoutFound[] }> {
  const { caller, folder, generator } = context;
  const { run, requests, ...rest } = wish;
  const feed = join(folder, "claims");
  writeFeed(feed, target.host, claimRequests(caller, target.claims, run, requests));
  await checkout.prepare(run);
  const job = { ...jobOf(target, feed), ...rest, latencyOfStatus: 201 };
  const [sample, found] = await Promise.all([generator.run(job), checkout.run()]);
  const others = Object.keys(sample.allStatuses).filter(
    (it) => !(pipelined > 1 ? ["200", "201", "503"] : ["201", "503"]).includes(it),
  );
  if (others.length > 0 || sample.cut > 0 || sample.exhausted) {
    const { allStatuses, cut, exhausted } = sample;
    throw new Error(`overload could not be measured: ${JSON.stringify({ allStatuses, cut, exhausted })}`);
  }
  return { sample, found };
}

function jobOf(target: Target, feed: string): Omit<Job, "connections"> {
  const { port, pids } = target;
  return { host: "127.0.0.1", port, feed, repeat: false, warmUpMs, durationMs, watch: pids };
}

function residentMiB(pids: readonly number[]): number {
  const kibibytes = pids.map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]));
  return Math.round(kibibytes.reduce((sum, it) => sum + it, 0) / 1_024);
}
