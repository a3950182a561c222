import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFeed } from "../generator/feed.ts";
import { Generator } from "../generator/generator.ts";
import type { Job, Sample } from "../generator/run.ts";
import { makeBatch, productId } from "./batches.ts";
import { type BenchContext, connections, durationMs, untilQuiet, warmUpMs } from "./context.ts";
import { grantCoupons } from "./grant-coupons.ts";
import { holdCpu } from "./hold-cpu.ts";
import { claimRequests, redeemRequests } from "./loads.ts";
import { type Measure, toMeasure } from "./measures.ts";

/** Part of a core that issuing gets, so that everything else has headroom and it alone is overloaded. */
const cores = 0.4;
const overloadFactor = 5;
/** More than a closed loop gets through in a sample. */
const peakRequests = 100_000;
const calmShare = 0.7;
const overloadConnections = 1_024;
/** Redemptions during the overload, from another pool of connections, as a checkout has. */
const redeemPerSecond = 50;
/** From before a load's feed is made until its end. */
const checkoutMs = 10_000;
const warmUpRounds = 1;

interface Round {
  /** Before the overload and after it, so that what drifts on the machine drifts for both. */
  peak: Sample;
  peakAgain: Sample;
  calm: Sample;
  overload: Sample;
  redeem: Sample;
  residentMiB: [number, number];
}

interface Target {
  port: number;
  host: string;
  pids: number[];
  claims: string;
  redeemable: string;
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
  const target = { host, port: Number(port), pids, claims: claims.batchId, redeemable: redeemable.batchId };
  using hold = holdCpu(pids, cores);
  const checkout = new Generator();
  try {
    const rounds: Round[] = [];
    for (let round = -warmUpRounds; round < context.rounds; round += 1) {
      const found = await measureRound(context, target, checkout, round);
      context.progress(`${round < 0 ? "warm-up" : `round ${round + 1}`}: ${describe(found)}`);
      if (round >= 0) rounds.push(found);
    }
    const ratios = rounds.map(ratioOf);
    return toMeasure("overload", ratios, `issuing ${hold.how}; last round: ${describe(rounds.at(-1) as Round)}`);
  } finally {
    await checkout.close();
  }
}

async function measureRound(context: BenchContext, target: Target, checkout: Generator, round: number): Promise<Round> {
  const run = `${Date.now().toString(36)}-${round}`;
  const peak = await measurePeak(context, target, checkout, `${run}-p`);
  const perSecond = goodput(peak);
  const requests = Math.ceil((perSecond * (warmUpMs + durationMs) * 2) / 1_000);
  const open = { connections: overloadConnections, requests };
  const calmRedeemed = await startCheckout(context, target, checkout, `${run}-c`);
  const calm = await load(context, target, { ...open, run: `${run}-c`, arrivalsPerSecond: perSecond * calmShare });
  await calmRedeemed();
  const before = residentMiB(target.pids);
  const arrivalsPerSecond = perSecond * overloadFactor;
  const overloadRedeemed = await startCheckout(context, target, checkout, `${run}-o`);
  const overload = await load(context, target, { ...open, requests: requests * 2, run: `${run}-o`, arrivalsPerSecond });
  const redeem = await overloadRedeemed();
  const after = residentMiB(target.pids);
  const peakAgain = await measurePeak(context, target, checkout, `${run}-a`);
  return { peak, peakAgain, calm, overload, redeem, residentMiB: [before, after] };
}

async function measurePeak(context: BenchContext, target: Target, checkout: Generator, run: string): Promise<Sample> {
  const redeemed = await startCheckout(context, target, checkout, run);
  const peak = await load(context, target, { run, connections, requests: peakRequests });
  await redeemed();
  return peak;
}

/**
 * The same redemptions a second run beside each of the loads, so that the goodput of claims is compared at one price of
 * checkout. They begin before the load and end after it.
 */
async function startCheckout(
  context: BenchContext,
  target: Target,
  checkout: Generator,
  run: string,
): Promise<() => Promise<Sample>> {
  const count = Math.ceil((redeemPerSecond * checkoutMs * 1.2) / 1_000);
  const coupons = await grantCoupons(context, target.redeemable, run, count);
  const feed = join(context.folder, "checkout");
  writeFeed(feed, target.host, redeemRequests(context.caller, productId, run, coupons));
  await untilQuiet(context);
  const wish = { connections: 32, arrivalsPerSecond: redeemPerSecond, latencyOfStatus: 200 };
  const running = checkout.run({ ...jobOf(target, feed), ...wish, warmUpMs: 3_000, durationMs: checkoutMs - 3_000 });
  running.catch(() => undefined);
  return () => running;
}

interface Wish {
  run: string;
  connections: number;
  requests: number;
  arrivalsPerSecond?: number;
}

async function load(context: BenchContext, target: Target, wish: Wish): Promise<Sample> {
  const { caller, folder, generator } = context;
  const { run, requests, ...rest } = wish;
  const feed = join(folder, "claims");
  writeFeed(feed, target.host, claimRequests(caller, target.claims, run, requests));
  const sample = await generator.run({ ...jobOf(target, feed), ...rest, latencyOfStatus: 201 });
  const others = Object.keys(sample.allStatuses).filter((it) => it !== "201" && it !== "503");
  if (others.length > 0 || sample.cut > 0 || sample.exhausted) {
    const { allStatuses, cut, exhausted } = sample;
    throw new Error(`overload could not be measured: ${JSON.stringify({ allStatuses, cut, exhausted })}`);
  }
  return sample;
}

function jobOf(target: Target, feed: string): Omit<Job, "connections"> {
  const { port, pids } = target;
  return { host: "127.0.0.1", port, feed, repeat: false, warmUpMs, durationMs, watch: pids };
}

const goodput = ({ statuses, seconds }: Sample): number => (statuses[201] ?? 0) / seconds;

const ratioOf = ({ peak, peakAgain, overload }: Round): number =>
  (goodput(overload) * 2) / (goodput(peak) + goodput(peakAgain));

function describe(round: Round): string {
  const {
    peak,
    peakAgain,
    calm,
    overload,
    redeem,
    residentMiB: [before, after],
  } = round;
  const rate = (sample: Sample) => `${Math.round(goodput(sample)).toLocaleString("en-US")}/s`;
  const used = ({ watchedCpuSeconds, seconds }: Sample) =>
    `${(watchedCpuSeconds.reduce((sum, it) => sum + it, 0) / seconds).toFixed(2)} cores of issuing`;
  const refusedPerSecond = Math.round((overload.statuses[503] ?? 0) / overload.seconds);
  const redeemed = Object.values(redeem.statuses).reduce((sum, it) => sum + it, 0);
  const share = ((redeem.statuses[200] ?? 0) / (redeemed + redeem.turnedAway)) * 100;
  return [
    `peak ${rate(peak)} before and ${rate(peakAgain)} after (${(peak.statuses[503] ?? 0) + (peakAgain.statuses[503] ?? 0)} refused), p50 ${peak.p50Ms.toFixed(1)} ms, ${used(peak)}`,
    `at 70 % p50 ${calm.p50Ms.toFixed(1)} ms, p99 ${calm.p99Ms.toFixed(1)} ms (${calm.statuses[503] ?? 0} refused), ${used(calm)}`,
    `at 5 times ${rate(overload)}, ${ratioOf(round).toFixed(2)} of it, ${refusedPerSecond}/s refused, ` +
      `${Math.round(overload.turnedAway / overload.seconds).toLocaleString("en-US")}/s without a free connection of ` +
      `${overloadConnections}, p50 of the served ${overload.p50Ms.toFixed(1)} ms, ${(overload.p50Ms / calm.p50Ms).toFixed(1)} times that at 70 %, p99 ${overload.p99Ms.toFixed(1)} ms, ${used(overload)}`,
    `redemptions ${share.toFixed(1)} % of ${redeemed + redeem.turnedAway}, p99 ${redeem.p99Ms.toFixed(1)} ms`,
    `resident ${before} MiB before, ${after} after; ${overload.generatorCpuSeconds.toFixed(1)} s of CPU for the generator`,
  ].join("; ");
}

function residentMiB(pids: readonly number[]): number {
  const kibibytes = pids.map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]));
  return Math.round(kibibytes.reduce((sum, it) => sum + it, 0) / 1_024);
}
