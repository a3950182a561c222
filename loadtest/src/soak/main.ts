import { rmSync } from "node:fs";
import { explain, stackFolder } from "@coupon/demo";
import { listenForInterruption } from "@coupon/stack";
import { readArguments } from "./arguments.ts";
import { judgeGrowth } from "./judge-growth.ts";
import { pointsOf, printSoak, soakToJson } from "./report.ts";
import { runSoak, stackName } from "./run-soak.ts";

/**
 * `npm run soak [-- --minutes n] [--per-second n] [--json]`: a steady mixed load on a stack of its own, and a verdict on
 * what grows. The exit status is 0 only where nothing does and every answer holds against PostgreSQL.
 */
const say = (text: string): void => void process.stderr.write(`${text}\n`);
process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const interruption = listenForInterruption();
  try {
    const options = readArguments(args);
    say(`A stack of its own is loaded with ${options.perSecond} arrivals a second for ${options.minutes} minutes.`);
    const soak = await runSoak(options, { signal: interruption.signal, say });
    const growths = judgeGrowth(soak.samples, soak.calls / soak.seconds);
    process.stdout.write(`${options.json ? soakToJson(soak, growths) : printSoak(soak, growths)}\n`);
    return pointsOf(soak, growths).every((it) => it.holds) ? 0 : 1;
  } catch (error) {
    if (interruption.signal.aborted) return 130;
    process.stderr.write(`${explain(error)}\n`);
    return 1;
  } finally {
    interruption.dispose();
    rmSync(stackFolder(stackName), { recursive: true, force: true });
  }
}
