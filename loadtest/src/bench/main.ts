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
import { MeasureFailed, type MeasureTask, measureInTurn } from "./measure-in-turn.ts";
import type { Measure, MeasureId } from "./measures.ts";
import { measureOverload, overloadMeasureIds } from "./overload.ts";
import { measureProofCost } from "./proof-cost.ts";
import { measureRebuild, rebuildCoupons } from "./rebuild.ts";
import { type Configuration, printMeasured } from "./report.ts";
import { measureTakeOver } from "./take-over.ts";

/**
 * `npm run bench [-- --json] [-- <ids…>]`: starts a stack of its own, measures, and throws it away. Fails only where
 * something can't be measured, and prints what was measured before: a floor that is missed is printed as MISS.
 */
const stackName = "bench";
const progress = (text: string): void => void process.stderr.write(`${text}\n`);
process.exitCode = await main(process.argv.slice(2));

/** What has been measured so far. */
interface Kept {
  configuration: Configuration | undefined;
  readonly measures: Measure[];
}

async function main(args: string[]): Promise<number> {
  const interruption = listenForInterruption();
  const kept: Kept = { configuration: undefined, measures: [] };
  let json = false;
  try {
    const options = readArguments(args);
    json = options.json;
    await measureAll(options, interruption.signal, kept);
    return 0;
  } catch (error) {
    if (interruption.signal.aborted) return 130;
    progress(error instanceof MeasureFailed ? `${error.message}: ${explain(error.cause)}` : explain(error));
    return 1;
  } finally {
    const text = printMeasured({ configuration: kept.configuration ?? {}, measures: kept.measures, json });
    if (text !== null) process.stdout.write(`${text}\n`);
    interruption.dispose();
    rmSync(stackFolder(stackName), { recursive: true, force: true });
  }
}

async function measureAll({ ids, rounds }: BenchArguments, signal: AbortSignal, kept: Kept): Promise<void> {
  const measureOn = (issuingProcesses: number, tasks: (context: BenchContext) => MeasureTask[]) =>
    withContext({ rounds, issuingProcesses, signal }, async (context) => {
      const wiped = ids.includes("rebuild") ? { rebuildCoupons: rebuildCoupons() } : {};
      const settings = { connections, warmUpMs, durationMs, rounds, ...wiped };
      kept.configuration ??= await readConfiguration(context.local, settings);
      await measureInTurn(tasks(context), (measure) => kept.measures.push(measure));
    });
  if (ids.some((id) => id !== "take_over")) await measureOn(1, (context) => tasksOnOne(context, ids));
  if (ids.includes("take_over")) await measureOn(2, (context) => [task("take_over", () => measureTakeOver(context))]);
}

/** Everything that is measured with one issuing process. */
function tasksOnOne(context: BenchContext, ids: readonly MeasureId[]): MeasureTask[] {
  const http = httpMeasureIds.filter((id) => ids.includes(id));
  const tasks = [
    task("grants", () => measureGrants(context)),
    task("ledger", () => measureLedger(context)),
    task("proof_cost", () => measureProofCost(context)),
    task("isolation", () => measureIsolation(context)),
    task("rebuild", () => measureRebuild(context)),
    task("audit", () => measureAudit(context)),
    task("catch_up", () => measureCatchUp(context)),
    task("bytes_1m", () => measureBytes(context, "bytes_1m", 1_000_000)),
    task("bytes_10m", () => measureBytes(context, "bytes_10m", 10_000_000)),
  ].filter((each) => each.ids.every((id) => ids.includes(id)));
  if (overloadMeasureIds.some((id) => ids.includes(id))) {
    tasks.unshift({ ids: overloadMeasureIds, measure: () => measureOverload(context) });
  }
  return http.length === 0 ? tasks : [{ ids: http, measure: () => measureHttp(context, http) }, ...tasks];
}

function task(id: MeasureId, measure: () => Promise<Measure>): MeasureTask {
  return { ids: [id], measure: async () => [await measure()] };
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
