import { parseArgs } from "node:util";
import { describeEvent, listenForInterruption } from "@coupon/stack";
import { runDemo } from "./demo/run-demo.ts";
import { explain } from "./explain.ts";
import { Figures } from "./figures.ts";
import { type LocalStack, startLocalStack } from "./local-stack.ts";

/**
 * `npm start`: starts the platform on this machine, shows it at work on real data, and stays up until Ctrl-C. With
 * `--exit` it stops after the demonstration; its exit status says whether every figure was right.
 */
const { values } = parseArgs({ options: { exit: { type: "boolean", default: false } } });
const say = (text: string): void => void process.stdout.write(`${text}\n`);
process.exitCode = await main(values.exit);

async function main(exitAfter: boolean): Promise<number> {
  const interruption = listenForInterruption();
  const figures = new Figures(say);
  let local: LocalStack | undefined;
  try {
    say("Starting the coupon platform on this machine.");
    const startedAt = performance.now();
    const onEvent = (event: Parameters<typeof describeEvent>[0]) => say(`  ${describeEvent(event)}`);
    local = await startLocalStack({ name: "", onEvent, signal: interruption.signal });
    say(`Up after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s.`);
    await runDemo(local, figures);
    sayResult(figures, local);
    if (!exitAfter && !interruption.signal.aborted) {
      say("\nThe platform stays up; stop it with Ctrl-C.");
      await local.stack.stopped;
    }
    return figures.wrong === 0 && figures.checked > 0 ? 0 : 1;
  } catch (error) {
    if (interruption.signal.aborted) return 130;
    process.stderr.write(`\n${explain(error)}\n`);
    return 1;
  } finally {
    await local?.stack.stop();
    interruption.dispose();
  }
}

function sayResult(figures: Figures, local: LocalStack): void {
  const right = figures.checked - figures.wrong;
  say(`\n${right} of ${figures.checked} figures are right.`);
  say("\nAddresses (also in .local/stack.json, with tokens and keys):");
  for (const [name, url] of Object.entries(local.stack.urls)) say(`  ${name.padEnd(12)} ${url}  (${url}/openapi.json)`);
  for (const [name, url] of Object.entries(local.addresses)) say(`  ${name.padEnd(12)} ${withoutPassword(url)}`);
}

function withoutPassword(address: string): string {
  return address.replace(/:[^:@/]+@/, ":…@");
}
