import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { explain, stackFolder, startLocalStack } from "@coupon/demo";
import { describeEvent, listenForInterruption } from "@coupon/stack";
import { Generator } from "../generator/generator.ts";
import { type BenchArguments, readArguments } from "./arguments.ts";
import { measureAudit } from "./audit.ts";
import { measureBytes } from "./bytes.ts";
import { measureCatchUp } from "./catch-up.ts";
import { withClients } from "./clients.ts";
import { readConfiguration } from "./configuration.ts";
import { type BenchContext, connections, durationMs, warmUpMs } from "./context.ts";
import { measureGrants } from "./grants.ts";
import { httpMeasureIds, measureHttp } from "./http-rounds.ts";
import { measureIsolation } from "./isolation.ts";
import { measureLedger } from "./ledger-rate.ts";
import type { Measure, MeasureId } from "./measures.ts";
import { measureOverload } from "./overload.ts";
import { measureProofCost } from "./proof-cost.ts";
import { measureRebuild, rebuildCoupons } from "./rebuild.ts";
import { type Configuration, printReport, toJson } from "./report.ts";
import { measureTakeOver } from "./take-over.ts";

/**
 * `npm run bench [-- --json] [-- <ids…>]`: starts a stack of its own, measures, and throws it away. Fails only where
 * something can't be measured: a floor that is missed is printed as MISS.
 */
const stackName = "bench";
const progress = (text: string): void => void process.stderr.write(`${text}\n`);
process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const interruption = listenForInterruption();
  try {
    const options = readArguments(args);
    const { configuration, measures } = await measureAll(options, interruption.signal);
    const text = options.json ? toJson(configuration, measures) : printReport(configuration, measures);
    process.stdout.write(`${text}\n`);
    return 0;
  } catch (error) {
    if (interruption.signal.aborted) return 130;
    process.stderr.write(`${explain(error)}\n`);
    return 1;
  } finally {
    interruption.dispose();
    rmSync(stackFolder(stackName), { recursive: true, force: true });
  }
}

async function measureAll(
  { ids, rounds }: BenchArguments,
  signal: AbortSignal,
): Promise<{ configuration: Configuration; measures: Measure[] }> {
  const measured = new Map<MeasureId, Measure>();
  const keep = (measure: Measure) => measured.set(measure.id, measure);
  let configuration: Configuration | undefined;
  const configure = async (context: BenchContext) => {
    const wiped = ids.includes("rebuild") ? { rebuildCoupons: rebuildCoupons() } : {};
    const settings = { connections, warmUpMs, durationMs, rounds, ...wiped };
    configuration ??= await readConfiguration(context.local, settings);
  };
  if (ids.some((id) => id !== "take_over")) {
    await withContext({ rounds, issuingProcesses: 1, signal }, async (context) => {
      await configure(context);
      await measureOnOne(context, ids, keep);
    });
  }
  if (ids.includes("take_over")) {
    await withContext({ rounds, issuingProcesses: 2, signal }, async (context) => {
      await configure(context);
      keep(await measureTakeOver(context));
    });
  }
  return { configuration: configuration ?? {}, measures: ids.flatMap((id) => measured.get(id) ?? []) };
}

/** Everything that is measured with one issuing process. */
async function measureOnOne(
  context: BenchContext,
  ids: readonly MeasureId[],
  keep: (measure: Measure) => void,
): Promise<void> {
  const http = httpMeasureIds.filter((id) => ids.includes(id));
  if (http.length > 0) for (const measure of await measureHttp(context, http)) keep(measure);
  if (ids.includes("grants")) keep(await measureGrants(context));
  if (ids.includes("overload")) keep(await measureOverload(context));
  if (ids.includes("ledger")) keep(await measureLedger(context));
  if (ids.includes("proof_cost")) keep(await measureProofCost(context));
  if (ids.includes("isolation")) keep(await measureIsolation(context));
  if (ids.includes("rebuild")) keep(await measureRebuild(context));
  if (ids.includes("audit")) keep(await measureAudit(context));
  if (ids.includes("catch_up")) keep(await measureCatchUp(context));
  if (ids.includes("bytes_1m")) keep(await measureBytes(context, "bytes_1m", 1_000_000));
  if (ids.includes("bytes_10m")) keep(await measureBytes(context, "bytes_10m", 10_000_000));
}

interface StackWish {
  rounds: number;
  issuingProcesses: number;
  signal: AbortSignal;
}

/** Starts the stack with everything that measuring needs, and stops it all whatever becomes of the work. */
async function withContext(wish: StackWish, work: (context: BenchContext) => Promise<void>): Promise<void> {
  const { issuingProcesses, signal, rounds } = wish;
  const onEvent = (event: Parameters<typeof describeEvent>[0]) => progress(describeEvent(event));
  const local = await startLocalStack({ name: stackName, issuingProcesses, signal, onEvent });
  const generator = new Generator();
  try {
    await withClients(local, stackName, async (clients) => {
      const folder = join(local.stack.local, "feeds");
      mkdirSync(folder, { recursive: true });
      await work({ ...clients, local, generator, folder, rounds, progress });
    });
  } finally {
    await generator.close();
    await local.stack.stop();
  }
}
