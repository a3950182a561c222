import { installMissing, listenForInterruption, StackFailure } from "@coupon/stack";
import { readArguments } from "./arguments.ts";
import { startParts } from "./parts.ts";
import { runMany } from "./run-many.ts";

/** `npm run faults -- --seeds 200 --start 1`: the last line sums up; the status says whether all were clean. */
async function main(): Promise<boolean> {
  const { seeds, start, seconds } = readArguments(process.argv.slice(2));
  await installMissing(["redis", "kafka", "postgres"]);
  const interruption = listenForInterruption();
  const beganAtMs = performance.now();
  const parts = await startParts();
  try {
    const summary = await runMany(parts, {
      ...{ seeds, start, signal: interruption.signal, print: (line) => console.log(line) },
      ...(seconds === 0 ? {} : { withinMs: seconds * 1_000 }),
    });
    console.log(summary.line((performance.now() - beganAtMs) / 1_000));
    return summary.violations === 0 && summary.schedules > 0;
  } finally {
    await parts.stop();
    interruption.dispose();
  }
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  const known = error instanceof StackFailure;
  console.error(known && error.detail !== "" ? `${error.detail}\n${error.message}` : error);
  process.exitCode = 1;
}
