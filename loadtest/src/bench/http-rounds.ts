import { join } from "node:path";
import type { ManagedBatch } from "@coupon/client";
import { writeFeed } from "../generator/feed.ts";
import type { Sample } from "../generator/run.ts";
import { makeBatch, productId } from "./batches.ts";
import { type BenchContext, connections, durationMs, untilQuiet, warmUpMs } from "./context.ts";
import { startEchoes } from "./echoes.ts";
import { grantCoupons } from "./grant-coupons.ts";
import { claimRequests, redeemRequests } from "./loads.ts";
import { type Measure, type MeasureId, toMeasure } from "./measures.ts";

type Load = "signed" | "signed_redeem" | "bare" | "claim" | "redeem" | "sold_out";

/** The loads that each ratio is made of: what is measured, and what it is divided by. */
const ratios = {
  claim: ["claim", "signed"],
  claim_bare: ["claim", "bare"],
  claim_cpu: ["claim", "signed"],
  redeem: ["redeem", "signed_redeem"],
  sold_out: ["sold_out", "signed"],
} as const satisfies Partial<Record<MeasureId, readonly [Load, Load]>>;

export type HttpMeasureId = keyof typeof ratios;

export const httpMeasureIds = Object.keys(ratios) as HttpMeasureId[];

/** What an answer of each load has to be; anything else is a failure to measure. */
const rightStatus: Record<Load, string> = {
  signed: "201",
  signed_redeem: "200",
  bare: "201",
  claim: "201",
  redeem: "200",
  sold_out: "409",
};

const leastSeconds = 2;

/** Rounds that don't count: the rates of claims still rose in the fourth. */
const warmUpRounds = 3;

interface Targets {
  claims: ManagedBatch;
  redeemable: ManagedBatch;
  soldOut: ManagedBatch;
  ports: Record<Load, number>;
  watch: Record<Load, number[]>;
}

/**
 * Measures all HTTP ratios that are asked for in one run: every round makes each load once, one after the other, in
 * an order that turns round each time, so that what drifts on the machine drifts for all of them.
 */
export async function measureHttp(context: BenchContext, ids: readonly HttpMeasureId[]): Promise<Measure[]> {
  const loads = [...new Set(ids.flatMap((id) => ratios[id] as readonly Load[]))];
  const batches = {
    claims: await makeBatch(context.desk, "claims", { total: 100_000_000, perUser: 1 }),
    redeemable: await makeBatch(context.desk, "redeemable", { total: 100_000_000, perUser: 1 }),
    soldOut: await makeBatch(context.desk, "sold out", { total: 1_000, perUser: 1_000 }),
  };
  await using echoes = await startEchoes(context, batches.claims);
  if (loads.includes("sold_out")) await sellOut(context, batches.soldOut);
  const issuing = Number(new URL(context.local.urls.issuing).port);
  const issuingPids = [context.local.stack.pids().issuing ?? []].flat();
  const targets: Targets = {
    ...batches,
    ports: {
      signed: echoes.signed.port,
      signed_redeem: echoes.signed.port,
      bare: echoes.bare.port,
      claim: issuing,
      redeem: issuing,
      sold_out: issuing,
    },
    watch: {
      signed: [echoes.signed.pid],
      signed_redeem: [echoes.signed.pid],
      bare: [echoes.bare.pid],
      claim: issuingPids,
      redeem: issuingPids,
      sold_out: issuingPids,
    },
  };
  const requests = await pilot(context, targets);
  // The first claims of a process cost three times what they cost once its code and the broker's are hot.
  context.progress("warming up");
  for (let round = -warmUpRounds; round < 0; round += 1) await measureRound(context, targets, loads, round, requests);
  const rounds: Map<Load, Sample>[] = [];
  for (let round = 0; round < context.rounds; round += 1) {
    rounds.push(await measureRound(context, targets, round % 2 === 0 ? loads : loads.toReversed(), round, requests));
  }
  return ids.map((id) =>
    toMeasure(
      id,
      rounds.map((it) => ratioOf(id, it)),
      noteOf(id, rounds),
    ),
  );
}

/** How many requests a sample can use up at most, from what the bare echo does. */
async function pilot(context: BenchContext, targets: Targets): Promise<number> {
  const feed = join(context.folder, "pilot");
  writeFeed(feed, "127.0.0.1", claimRequests(context.caller, targets.claims.batchId, "pilot", 20_000));
  const job = { ...jobFor(targets, "bare", feed), repeat: true, durationMs: 1_000 };
  const { perSecond } = await context.generator.run(job);
  return Math.ceil((perSecond * (warmUpMs + durationMs) * 1.5) / 1_000);
}

async function measureRound(
  context: BenchContext,
  targets: Targets,
  loads: readonly Load[],
  round: number,
  requests: number,
): Promise<Map<Load, Sample>> {
  const { caller, folder, generator, progress } = context;
  const run = `${Date.now().toString(36)}-${round}`;
  const host = `127.0.0.1:${targets.ports.claim}`;
  const feeds: Record<Load, string> = {
    signed: join(folder, "claims"),
    signed_redeem: join(folder, "redemptions"),
    bare: join(folder, "claims"),
    claim: join(folder, "claims"),
    redeem: join(folder, "redemptions"),
    sold_out: join(folder, "sold-out"),
  };
  writeFeed(feeds.claim, host, claimRequests(caller, targets.claims.batchId, run, requests));
  if (loads.includes("sold_out")) {
    writeFeed(feeds.sold_out, host, claimRequests(caller, targets.soldOut.batchId, run, requests));
  }
  if (loads.includes("redeem")) {
    const coupons = await grantCoupons(context, targets.redeemable.batchId, run, requests);
    writeFeed(feeds.redeem, host, redeemRequests(caller, productId, run, coupons));
  }
  const samples = new Map<Load, Sample>();
  for (const load of loads) {
    await untilQuiet(context);
    const sample = await generator.run(jobFor(targets, load, feeds[load]));
    assertRight(load, sample);
    samples.set(load, sample);
    progress(`${round < 0 ? "warm-up" : `round ${round + 1}`}: ${load} ${describe(sample)}`);
  }
  return samples;
}

function jobFor(targets: Targets, load: Load, feed: string) {
  const repeat = load.startsWith("signed") || load === "bare" || load === "sold_out";
  const times = { warmUpMs, durationMs };
  return {
    host: "127.0.0.1",
    port: targets.ports[load],
    connections,
    feed,
    repeat,
    watch: targets.watch[load],
    ...times,
  };
}

function assertRight(load: Load, sample: Sample): void {
  const right = sample.allStatuses[rightStatus[load]] ?? 0;
  const answers = Object.values(sample.allStatuses).reduce((sum, it) => sum + it, 0);
  if (right !== answers || sample.cut > 0) {
    throw new Error(`${load} could not be measured: ${JSON.stringify(sample.allStatuses)}, ${sample.cut} cut off`);
  }
  // A feed that was used up ends the window early, which is as good while enough of it was measured.
  if (sample.seconds < leastSeconds) throw new Error(`${load} was measured for ${sample.seconds.toFixed(1)} s only`);
}

function ratioOf(id: HttpMeasureId, samples: Map<Load, Sample>): number {
  const [measured, against] = ratios[id].map((load) => samples.get(load));
  if (measured === undefined || against === undefined) return Number.NaN;
  return id === "claim_cpu" ? cpuOf(measured) / cpuOf(against) : measured.perSecond / against.perSecond;
}

/** CPU time of the server for each answer, in microseconds. */
function cpuOf(sample: Sample): number {
  const seconds = sample.watchedCpuSeconds.reduce((sum, it) => sum + it, 0);
  return (seconds * 1e6) / (sample.perSecond * sample.seconds);
}

function describe(sample: Sample): string {
  const generatorCores = (sample.generatorCpuSeconds / sample.seconds).toFixed(2);
  const rate = Math.round(sample.perSecond).toLocaleString("en-US");
  const cpu = `${cpuOf(sample).toFixed(1)} µs of its CPU each`;
  return `${rate}/s, p50 ${sample.p50Ms.toFixed(1)} ms, p99 ${sample.p99Ms.toFixed(1)} ms, ${cpu}, generator ${generatorCores} cores`;
}

function noteOf(id: HttpMeasureId, rounds: Map<Load, Sample>[]): string {
  const last = rounds.at(-1);
  const [measured, against] = ratios[id].map((load) => `${load} ${describe(last?.get(load) as Sample)}`);
  return `last round: ${measured}; ${against}`;
}

/** Takes the whole stock, and checks that a success on record still comes back afterwards. */
async function sellOut(context: BenchContext, batch: ManagedBatch): Promise<void> {
  const coupons = await grantCoupons(context, batch.batchId, "sell-out", batch.stock.total);
  const [first] = coupons;
  const again = await grantCoupons(context, batch.batchId, "sell-out", 1);
  if (first === undefined || again[0]?.couponId !== first.couponId) {
    throw new Error("sold_out could not be measured: a success on record did not come back");
  }
}
