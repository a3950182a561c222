import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { REPOSITORY } from "@coupon/testkit";
import { drawSchedule } from "./draw-schedule.ts";
import { Parts } from "./parts.ts";
import { type RunResult, runSchedule } from "./run-schedule.ts";
import { kindOf } from "./schedule.ts";
import { Summary } from "./summary.ts";

/**
 * `npm run faults -- --seeds 200 --start N`: one schedule per seed, one after the other, on parts that are started
 * once. The exit status is 0 only where no schedule broke a promise.
 */
const say = (text: string): void => void process.stdout.write(`${text}\n`);
process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args: args.filter((it) => it !== "--"),
    options: { seeds: { type: "string", default: "20" }, start: { type: "string", default: "1" } },
  });
  const [seeds, start] = [Number(values.seeds), Number(values.start)];
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupted.abort());
  const parts = new Parts();
  const summary = new Summary();
  try {
    await parts.start();
    for (let seed = start; seed < start + seeds && !interrupted.signal.aborted; seed += 1) {
      const startedAtMs = performance.now();
      const result = await runSchedule(parts, drawSchedule(seed));
      summary.add(result);
      tell(result, performance.now() - startedAtMs);
    }
  } finally {
    await parts.stop();
  }
  say(summary.text());
  return summary.violations === 0 && summary.schedules > 0 ? 0 : 1;
}

function tell(result: RunResult, tookMs: number): void {
  const { schedule, findings, operations, healedMs } = result;
  const kinds = schedule.faults.map((fault) => `${kindOf(fault)} at ${fault.atMs}`).join(", ");
  const figures = `${operations} operations, healed in ${healedMs} ms, ${(tookMs / 1_000).toFixed(1)} s`;
  say(
    `${findings.length === 0 ? "✓" : "✗"} seed ${schedule.seed}: ${figures}; ${kinds}; ledger: ${schedule.secondLedger}`,
  );
  if (findings.length === 0) return;
  for (const { promise, detail } of findings.slice(0, 10)) say(`    ${promise}: ${detail}`);
  const folder = join(REPOSITORY, ".local", "faults");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `seed-${schedule.seed}.json`);
  writeFileSync(file, JSON.stringify(result, null, 1));
  say(`    history and findings: ${file}`);
}
