import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installMissing, listenForInterruption, type PartName, StackFailure } from "@coupon/stack";
import { PART_VARIABLE, startRealParts } from "@coupon/testkit";
import { addCounts, countReport, failuresOf, sentenceOf } from "./report.ts";
import { type TestedPackage, testedPackages } from "./workspace.ts";

/**
 * Runs the tests of all packages, or of those whose names are given, against one set of real parts.
 * The last line is the count of all tests; the exit status is not 0 when any failed or none ran.
 */
const ROOT = join(import.meta.dirname, "..");
const REPORTS = join(ROOT, ".local", "reports");
/** Where vitest leaves its report, relative to the package it runs in. */
const REPORT = "node_modules/.report/tests.json";
const PARTS: readonly PartName[] = ["redis", "kafka", "postgres"];

function reportOf({ folder }: TestedPackage): string {
  return join(folder, REPORT);
}

function chosen(names: readonly string[]): TestedPackage[] {
  const all = testedPackages(ROOT);
  if (names.length === 0) return all;
  return all.filter(({ name }) => names.some((wanted) => name === wanted || name === `@coupon/${wanted}`));
}

/** One package after the other: races and timings are tested, and two cores carry one package's services and parts. */
function runTurbo(packages: readonly TestedPackage[], signal: AbortSignal): Promise<number> {
  const filters = packages.map(({ name }) => `--filter=${name}`);
  const turbo = [
    "run",
    "test",
    ...filters,
    "--concurrency=1",
    "--continue=always",
    "--ui=stream",
    "--output-logs=full",
  ];
  const vitest = ["--reporter=default", "--reporter=json", `--outputFile.json=${REPORT}`];
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1" };
  return new Promise((resolve, reject) => {
    const child = spawn("turbo", [...turbo, "--", ...vitest], {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
      env,
    });
    signal.addEventListener("abort", () => child.kill("SIGTERM"));
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

function collect(packages: readonly TestedPackage[]): boolean {
  mkdirSync(REPORTS, { recursive: true });
  const counts = packages.map((tested) => {
    const copy = join(REPORTS, `${tested.name.replace("@coupon/", "")}.json`);
    rmSync(copy, { force: true });
    if (existsSync(reportOf(tested))) cpSync(reportOf(tested), copy);
    const count = countReport(reportOf(tested));
    console.log(`${tested.name.padEnd(24)} ${sentenceOf(count)}`);
    return count;
  });
  for (const failure of packages.flatMap((tested) => failuresOf(reportOf(tested)))) console.log(`failed: ${failure}`);
  const sum = addCounts(counts);
  console.log(sentenceOf(sum));
  return sum.failed === 0 && sum.passed > 0;
}

async function main(names: readonly string[]): Promise<boolean> {
  const packages = chosen(names);
  for (const tested of packages) rmSync(reportOf(tested), { force: true });
  const interruption = listenForInterruption();
  await installMissing(PARTS.filter((part) => (process.env[PART_VARIABLE[part]] ?? "") === ""));
  const parts = await startRealParts(PARTS);
  for (const [name, value] of Object.entries(parts.environment)) console.log(`${name} is ${value}`);
  try {
    const status = await runTurbo(packages, interruption.signal);
    return collect(packages) && status === 0;
  } finally {
    await parts.stop();
    interruption.dispose();
  }
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  if (!(error instanceof StackFailure)) throw error;
  console.error(error.detail === "" ? error.message : `${error.detail}\n${error.message}`);
  process.exitCode = 1;
}
