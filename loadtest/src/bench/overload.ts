import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFeed } from "../generator/feed.ts";
import type { Job, Sample } from "../generator/run.ts";
import { makeBatch } from "./batches.ts";
import { Checkout, type CheckoutFound } from "./checkout.ts";
import { type BenchContext, connections, durationMs, warmUpMs } from "./context.ts";
import { holdCpu } from "./hold-cpu.ts";
import { claimRequests } from "./loads.ts";
import { type Measure, toMeasure } from "./measures.ts";
import { describeRound, goodput, type Round, ratioOf, summarize } from "./overload-round.ts";

/** Part of a core that issuing gets, so that everything else has headroom and it alone is overloaded. */
const cores = 0.4;
const overloadFactor = 5;
/** More than a closed loop gets through in a sample. */
const peakRequests = 100_000;
const calmShare = 0.7;
const overloadConnections = 1_024;
const warmUpRounds = 1;

interface Target {
  port: number;
  host: string;
  pids: number[];
  claims: string;
}

/**
 * Goodput of claims (201) at five times the arrivals of the peak ÷ at the peak. The peak is what a closed loop gets out,
 * the mean of before and after the overload;
 * the overload is open: requests arrive whatever has been answered, and one that finds all of the callers' connections
 * taken is turned away there, as a caller's pool does.
 */
export async function measureOverload(context: BenchContext): Promise<Measure> {
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
  return toMeasure("overload", rounds.map(ratioOf), `issuing ${hold.how}; ${summarize(rounds)}`);
}

async function measureRound(context: BenchContext, target: Target, checkout: Checkout, round: number): Promise<Round> {
  const run = `${Date.now().toString(36)}-${round}`;
  const closed = { connections, requests: peakRequests };
  const { sample: peak } = await load(context, target, checkout, { ...closed, run: `${run}-p` });
  const perSecond = goodput(peak);
  const requests = Math.ceil((perSecond * (warmUpMs + durationMs) * 2) / 1_000);
  const open = { connections: overloadConnections, requests };
  const calmWish = { ...open, run: `${run}-c`, arrivalsPerSecond: perSecond * calmShare };
  const { sample: calm } = await load(context, target, checkout, calmWish);
  const before = residentMiB(target.pids);
  const overloadWish = {
    ...open,
    requests: requests * 2,
    run: `${run}-o`,
    arrivalsPerSecond: perSecond * overloadFactor,
  };
  const { sample: overload, found } = await load(context, target, checkout, overloadWish);
  const after = residentMiB(target.pids);
  const { sample: peakAgain } = await load(context, target, checkout, { ...closed, run: `${run}-a` });
  return { peak, peakAgain, calm, overload, checkout: found, residentMiB: [before, after] };
}

interface Wish {
  run: string;
  connections: number;
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
  const others = Object.keys(sample.allStatuses).filter((it) => it !== "201" && it !== "503");
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
