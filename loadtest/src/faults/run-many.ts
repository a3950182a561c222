import type { Parts } from "./parts.ts";
import { forgetHistory, oneLine, Summary, writeHistory } from "./report.ts";
import { runSchedule } from "./run-schedule.ts";
import { drawSchedule } from "./schedule.ts";
import { tellHistory } from "./tell-history.ts";

export interface ManyOptions {
  seeds: number;
  start: number;
  /** No schedule begins after that long. */
  withinMs?: number;
  signal?: AbortSignal;
  print: (line: string) => void;
}

/** Runs the schedules of `seeds` seeds from `start` on, one after the other, and says how each went. */
export async function runMany(parts: Parts, options: ManyOptions): Promise<Summary> {
  const summary = new Summary();
  const until = performance.now() + (options.withinMs ?? Number.POSITIVE_INFINITY);
  for (let seed = options.start; seed < options.start + options.seeds; seed += 1) {
    if (options.signal?.aborted === true || performance.now() > until) break;
    forgetHistory(seed);
    const result = await runSchedule(parts, drawSchedule(seed)).catch((error: unknown) => error as Error);
    if (result instanceof Error) {
      summary.addBroken(seed);
      options.print(`seed ${seed}: BROKEN OFF, ${result.stack ?? result.message}`);
      // What a schedule does not expect may have left the parts in any state.
      break;
    }
    summary.add(result);
    options.print(oneLine(result));
    if (result.violations.length === 0) continue;
    for (const { promise, detail } of result.violations.slice(0, 10)) options.print(`  ${promise}: ${detail}`);
    for (const line of tellHistory(result)) options.print(`  ${line}`);
    options.print(`  its whole history is in ${writeHistory(result)}; run it again with --seeds 1 --start ${seed}`);
  }
  return summary;
}
