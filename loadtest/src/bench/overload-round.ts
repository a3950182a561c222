import type { Sample } from "../generator/run.ts";
import { type CheckoutFound, describeCheckout } from "./checkout.ts";
import { median } from "./measures.ts";

/** What one round of `overload` found. */
export interface Round {
  /** Before the overload and after it, so that what drifts on the machine drifts for both. */
  peak: Sample;
  peakAgain: Sample;
  calm: Sample;
  overload: Sample;
  /** Beside the overload. */
  checkout: CheckoutFound[];
  /** Before the overload and after it. */
  residentMiB: [number, number];
}

/** Claims issued a second. */
export const goodput = ({ statuses, seconds }: Sample): number => (statuses[201] ?? 0) / seconds;

const refused = ({ statuses, seconds }: Sample): number => (statuses[503] ?? 0) / seconds;

/** What was sent to issuing, in times of the peak before; each of it was answered. */
export const reachedOf = ({ peak, overload }: Round): number =>
  (overload.arrived - overload.turnedAway) / overload.seconds / goodput(peak);

const ratioOf = ({ peak, peakAgain, overload }: Round): number =>
  (goodput(overload) * 2) / (goodput(peak) + goodput(peakAgain));

/** Where nothing is served, no bound of latency is kept. */
const latencyOf = ({ calm, overload }: Round): number =>
  goodput(overload) === 0
    ? Number.POSITIVE_INFINITY
    : Math.max(overload.p50Ms / calm.p50Ms, overload.p99Ms / calm.p99Ms);

/** The worst of the kinds. */
const criticalOf = ({ checkout }: Round): number =>
  Math.min(...checkout.map(({ succeeded, calls }) => succeeded / Math.max(1, calls)));

/** What is measured of a round. */
export const roundRatios = {
  overload: ratioOf,
  overload_latency: latencyOf,
  overload_critical: criticalOf,
  overload_memory: ({ residentMiB: [before, after] }: Round): number => after / before,
};

const whole = (value: number): string => Math.round(value).toLocaleString("en-US");

function describeLoad(sample: Sample): string {
  const cores = sample.watchedCpuSeconds.reduce((sum, it) => sum + it, 0) / sample.seconds;
  const times = `p50 ${sample.p50Ms.toFixed(1)} ms, p99 ${sample.p99Ms.toFixed(1)} ms`;
  return `${whole(goodput(sample))}/s (${whole(refused(sample))}/s refused), ${times}, ${cores.toFixed(2)} cores of issuing`;
}

export function describeRound(round: Round): string {
  const { peak, peakAgain, calm, overload, checkout, residentMiB } = round;
  return [
    `peak before ${describeLoad(peak)}, after ${describeLoad(peakAgain)}`,
    `at 70 % ${describeLoad(calm)}`,
    `at 5 times ${describeLoad(overload)}, ${ratioOf(round).toFixed(2)} of the peak, ` +
      `${reachedOf(round).toFixed(2)} times the peak sent to issuing, ` +
      `${whole(overload.turnedAway / overload.seconds)}/s found no free connection, ` +
      `generator ${(overload.generatorCpuSeconds / overload.seconds).toFixed(2)} cores`,
    `beside it ${describeCheckout([checkout])}`,
    `resident ${residentMiB[0]} MiB before, ${residentMiB[1]} after`,
  ].join("; ");
}

/** The medians of the rounds, and of what must not happen the worst. */
export function summarize(rounds: readonly Round[]): string {
  const middle = (of: (round: Round) => number) => median(rounds.map(of));
  const times = (of: (sample: Sample) => number) => middle((it) => of(it.overload) / of(it.calm)).toFixed(1);
  return [
    `medians: peak ${whole(middle(({ peak, peakAgain }) => (goodput(peak) + goodput(peakAgain)) / 2))}/s`,
    `${middle(reachedOf).toFixed(2)} times the peak sent to issuing and answered`,
    `at 5 times ${whole(middle((it) => goodput(it.overload)))}/s, ${whole(middle((it) => refused(it.overload)))}/s refused`,
    `p50 of the served ${middle((it) => it.overload.p50Ms).toFixed(1)} ms, ${times((it) => it.p50Ms)} times that at 70 %, ` +
      `p99 ${middle((it) => it.overload.p99Ms).toFixed(1)} ms, ${times((it) => it.p99Ms)} times`,
    `critical beside it: ${describeCheckout(rounds.map((it) => it.checkout))}`,
    `resident ${Math.max(...rounds.map((it) => it.residentMiB[1]))} MiB at most, ` +
      `${Math.max(...rounds.map(({ residentMiB: [before, after] }) => after - before))} more than before the overload`,
  ].join("; ");
}
