import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expectValue, type ManagedBatch } from "@coupon/client";
import { checkout, type Desk, type LocalStack, readLogEnds, startLocalStack, untilApplied } from "@coupon/demo";
import { connectRedis, type ShardAddress } from "@coupon/redis";
import { makeBatch, productId } from "../bench/batches.ts";
import { type Clients, withClients } from "../bench/clients.ts";
import { readConfiguration } from "../bench/configuration.ts";
import type { Configuration } from "../bench/report.ts";
import { Latencies } from "../generator/latencies.ts";
import { judgeBatch } from "../load/judge-batch.ts";
import { readRequests } from "../load/logged-request.ts";
import type { Verdict } from "../load/verdict.ts";
import type { SoakArguments } from "./arguments.ts";
import { letArrive } from "./arrivals.ts";
import { Journal } from "./journal.ts";
import { journeyOf } from "./journeys.ts";
import { type LookContext, lookAt, processesOf } from "./looks.ts";
import { probedEnvironment } from "./node-heap.ts";
import type { Sample } from "./sample.ts";

/** What a soak was and what it saw. */
export interface Soak {
  configuration: Configuration;
  seconds: number;
  /** Calls of the SDK; what it sent again counts once. */
  calls: number;
  coupons: number;
  turnedAway: number;
  refusals: Record<string, number>;
  samples: Sample[];
  /** Processes that ended and were started again. */
  restarted: string[];
  verdicts: Verdict[];
  /** Where the logs of requests are. */
  folder: string;
}

export interface SoakContext {
  signal: AbortSignal;
  say: (text: string) => void;
}

export const stackName = "soak";
const issuingProcesses = 2;
/** One batch has one shard, the other several, as a large one has. */
const shardsOfBatches = [1, 4];
const couponsPerArrivalMax = 3;
const atOnceMax = 1_000;
const looksWished = 150;
const appliedWithinMs = 300_000;

/** Starts a stack of its own, loads it, looks at it again and again, and throws it away. */
export async function runSoak(options: SoakArguments, { signal, say }: SoakContext): Promise<Soak> {
  const folder = join(checkout, ".local", "soaks", `${Date.now().toString(36)}`);
  mkdirSync(folder, { recursive: true });
  const local = await startLocalStack({ name: stackName, issuingProcesses, signal, env: probedEnvironment(folder) });
  try {
    return await withClients(local, stackName, (clients) => soak(options, { local, clients, folder, signal, say }));
  } finally {
    await local.stack.stop();
  }
}

interface Running extends SoakContext {
  local: LocalStack;
  clients: Clients;
  folder: string;
}

async function soak(options: SoakArguments, running: Running): Promise<Soak> {
  const { local, clients, folder, signal } = running;
  const { minutes, perSecond } = options;
  const configuration = await readConfiguration(local, { minutes, arrivalsPerSecond: perSecond, issuingProcesses });
  const stock = { total: Math.ceil(minutes * 60 * perSecond * couponsPerArrivalMax), perUser: 1 };
  const batches: ManagedBatch[] = [];
  for (const shards of shardsOfBatches) {
    batches.push(await makeBatch(clients.desk, `soak of ${shards}`, stock, shards));
  }
  const journals = batches.map((_, index) => new Journal(join(folder, `requests-${index}.log`)));
  const redis = await connectRedis({ url: local.addresses.redisUrl, cluster: false });
  const shards = batches.flatMap(({ batchNumber }, index) => shardsOf(batchNumber, shardsOfBatches[index] ?? 1));
  const over = new AbortController();
  const looking = { local, redis, pool: clients.pool, shards, folder };
  const stopped = AbortSignal.any([signal, over.signal]);
  const lookingOn = lookOn(looking, { ...running, signal: stopped }, { journals, batches, minutes });
  try {
    const arrivals = { perSecond, seconds: minutes * 60, atOnceMax, signal: stopped };
    const arriving = letArrive(arrivals, async (index) => {
      const at = index % batches.length;
      const { batchId = "" } = batches[at] ?? {};
      const journal = journals[at] as Journal;
      await journeyOf(index)(
        { client: clients.client, journal, productId },
        { batchId, userId: `user-${index}`, name: `${index}` },
      );
    });
    // A look that fails ends the load, too.
    const turnedAway = await Promise.race([arriving, lookingOn.then(() => arriving)]);
    over.abort();
    const { samples, restarted } = await lookingOn;
    await Promise.all(journals.map((it) => it.close()));
    const verdicts = await judgeAll(running, batches);
    return { configuration, ...sum(journals), turnedAway, seconds: minutes * 60, samples, restarted, verdicts, folder };
  } finally {
    over.abort();
    await redis.close();
  }
}

function shardsOf(batch: number, count: number): ShardAddress[] {
  return Array.from({ length: count }, (_, shard) => ({ batch, shard }));
}

interface Looked {
  samples: Sample[];
  restarted: string[];
}

/** Looks at everything at a steady pace until the signal is aborted; each time an operator changes a stock. */
async function lookOn(
  context: LookContext,
  { signal, say, clients }: Running,
  { journals, batches, minutes }: { journals: Journal[]; batches: ManagedBatch[]; minutes: number },
): Promise<Looked> {
  const everyMs = Math.max(2_000, Math.min(15_000, (minutes * 60_000) / looksWished));
  const beganAt = performance.now();
  const began = processesOf(context.local);
  const samples: Sample[] = [];
  const restarted = new Set<string>();
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    for (const [name, pid] of processesOf(context.local)) if (began.get(name) !== pid) restarted.add(name);
    const seconds = (performance.now() - beganAt) / 1_000;
    const coupons = journals.reduce((total, it) => total + it.coupons, 0);
    const figures = await lookAt(context, takeLatencies(journals));
    samples.push({ seconds, coupons, figures });
    await changeStock(clients.desk, batches[samples.length % batches.length]);
    say(`${Math.round(seconds)} s of ${Math.round(minutes * 60)} s, ${coupons.toLocaleString("en-US")} coupons`);
  }
  return { samples, restarted: [...restarted] };
}

/** Both journals fill the same ones, since users do not know of batches. */
function takeLatencies(journals: readonly Journal[]): Latencies {
  const [{ latencies } = { latencies: new Latencies() }] = journals;
  const next = new Latencies();
  for (const journal of journals) journal.latencies = next;
  return latencies;
}

/**
 * The platform's management is at work, too: a definition travels through Kafka to every shard each time. The stock
 * becomes less by one, for which the campaign's budget always has room.
 */
async function changeStock({ operator }: Desk, batch: ManagedBatch | undefined): Promise<void> {
  if (batch === undefined) return;
  const read = await operator.batches.get(batch.batchId);
  const { total } = expectValue(read).stock;
  const change = { from: total, to: total - 1, reason: "soak" };
  expectValue(await operator.batches.changeStock(batch.batchId, (read.ok && read.etag) || "", change));
}

async function judgeAll(
  { local, clients, folder, say }: Running,
  batches: readonly ManagedBatch[],
): Promise<Verdict[]> {
  const { pool, reader, desk } = clients;
  say("Judging every request against PostgreSQL");
  await untilApplied(pool, await readLogEnds(reader, local.log.partitions), appliedWithinMs);
  const verdicts: Verdict[] = [];
  for (const [index, { batchId, batchNumber }] of batches.entries()) {
    const { stock } = expectValue(await desk.operator.batches.get(batchId));
    const requests = await readRequests(join(folder, `requests-${index}.log`));
    verdicts.push(await judgeBatch(pool, batchNumber, requests, stock));
  }
  return verdicts;
}

function sum(journals: readonly Journal[]): Pick<Soak, "calls" | "coupons" | "refusals"> {
  const refusals: Record<string, number> = {};
  for (const { refusals: counted } of journals) {
    for (const [code, count] of counted) refusals[code] = (refusals[code] ?? 0) + count;
  }
  const calls = journals.reduce((total, it) => total + it.calls, 0);
  return { calls, coupons: journals.reduce((total, it) => total + it.coupons, 0), refusals };
}
