import { SingleBar } from "cli-progress";
import type { ReplayProgress } from "./replay-run.ts";

/** A bar on a terminal; where there is none, a line for each step. */
export function progressBar(say: (line: string) => void): ReplayProgress & { end(): void } {
  const bar = new SingleBar({ format: "  {step} {bar} {value}/{total}  {duration_formatted}", hideCursor: true });
  let running = false;
  const end = () => {
    if (running) bar.stop();
    running = false;
  };
  return {
    end,
    begin: (step, total) => {
      end();
      if (!process.stderr.isTTY) return say(`  ${step}: ${total.toLocaleString("en-US")}`);
      bar.start(total, 0, { step: step.padEnd(12) });
      running = true;
    },
    advance: (count) => {
      if (running) bar.increment(count);
    },
  };
}
