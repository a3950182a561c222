import { parseArgs } from "node:util";
import { explain } from "@coupon/demo";
import { listenForInterruption } from "@coupon/stack";
import { profileNames, readProfile, secondsOf } from "./profile.ts";
import { runLoad } from "./run-load.ts";
import { withTarget } from "./target.ts";
import { isClean, type Verdict } from "./verdict.ts";

/**
 * `npm run load -- --profile <name>`: an open load through the signed API, on the stack that `npm start` has up, else
 * on one started for it. The exit status is 0 only where every threshold held and the verdict found nothing.
 */
const say = (text: string): void => void process.stdout.write(`${text}\n`);
process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const interruption = listenForInterruption();
  try {
    const { values } = parseArgs({
      args: args.filter((it) => it !== "--"),
      options: { profile: { type: "string", default: "smoke" } },
    });
    const profile = readProfile(values.profile);
    say(`Profile ${values.profile} (of ${profileNames().join(", ")}): ${profile.description}.`);
    say(`It takes ${secondsOf(profile)} s.`);
    return await withTarget({ say, signal: interruption.signal }, async (target) => {
      const { thresholdsHeld, verdict, folder } = await runLoad(target, values.profile, profile, say);
      sayVerdict(verdict, folder);
      if (!thresholdsHeld) say("A threshold of the profile did not hold.");
      return thresholdsHeld && isClean(verdict) ? 0 : 1;
    });
  } catch (error) {
    if (interruption.signal.aborted) return 130;
    process.stderr.write(`${explain(error)}\n`);
    return 1;
  } finally {
    interruption.dispose();
  }
}

function sayVerdict(verdict: Verdict, folder: string): void {
  const { requests, acknowledged, unknown, findings } = verdict;
  say(`\n${requests} requests, ${acknowledged} acknowledged, ${unknown} of unknown outcome; logged in ${folder}.`);
  for (const kind of ["lost", "phantom", "duplicate", "oversold"] as const) {
    say(`  ${verdict[kind] === 0 ? "✓" : "✗"} ${kind}: ${verdict[kind]}`);
  }
  for (const finding of findings) say(`    ${finding}`);
}
