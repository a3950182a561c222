import { parseArgs } from "node:util";
import { StackFailure } from "@coupon/stack";
import Table from "cli-table3";
import type { Check } from "./check.ts";
import { HELD_BY_OTHERS, PROTOCOL, PROTOCOL_WIDE, WITHOUT_ONE_GUARD } from "./checks.ts";
import { type Finding, runTlc } from "./tlc.ts";

const USAGE = `npm run model                     checks the protocol and every guard, bounds as in the tests
npm run model -- --wide           wider bounds too
npm run model -- --trace redo     prints the counter-example without that guard, state by state`;

const { values } = parseArgs({
  options: { wide: { type: "boolean" }, trace: { type: "string" }, help: { type: "boolean" } },
});

function isAsExpected({ breaks }: Check, { violated }: Finding): boolean {
  return violated === breaks;
}

async function report(title: string, checks: readonly Check[], show: (check: Check, found: Finding) => string[]) {
  const table = new Table({ head: [title, "states", "depth", "s", ""] });
  let good = true;
  for (const check of checks) {
    const found = await runTlc(check);
    good &&= isAsExpected(check, found);
    const [depth = "", what = ""] = show(check, found);
    const verdict = isAsExpected(check, found) ? what : `UNEXPECTED: ${found.violated ?? "nothing broke"}`;
    table.push([check.name, found.states, depth, found.seconds.toFixed(1), verdict]);
  }
  console.log(table.toString());
  return good;
}

const held = (_: Check, { depth }: Finding) => [String(depth), "every state looked at, all holds"];
const broken = (_: Check, { steps, violated }: Finding) => [`${steps.length} steps`, `${violated} breaks`];

async function trace(name: string): Promise<boolean> {
  const check = WITHOUT_ONE_GUARD.find((one) => one.name === name);
  if (check === undefined) {
    console.error(`"${name}" is no guard: ${WITHOUT_ONE_GUARD.map((one) => one.name).join(", ")}`);
    return false;
  }
  const found = await runTlc(check);
  console.log(found.trace);
  console.log(`\n${found.violated} breaks after ${found.steps.length} steps: ${found.steps.join(", ")}`);
  return isAsExpected(check, found);
}

async function main(): Promise<boolean> {
  if (values.help === true) {
    console.log(USAGE);
    return true;
  }
  if (values.trace !== undefined) return trace(values.trace);
  const whole = values.wide === true ? [...PROTOCOL, ...PROTOCOL_WIDE] : PROTOCOL;
  const results = [
    await report("the protocol", whole, held),
    await report("without what others hold", HELD_BY_OTHERS, held),
    await report("without", WITHOUT_ONE_GUARD, broken),
  ];
  return results.every((good) => good);
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  if (!(error instanceof StackFailure)) throw error;
  console.error(error.detail === "" ? error.message : `${error.detail}\n${error.message}`);
  process.exitCode = 1;
}
