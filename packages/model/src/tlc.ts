import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findJava, StackFailure } from "@coupon/stack";
import { type Check, configurationOf } from "./check.ts";
import { findTlc } from "./install-tlc.ts";

const SPECIFICATIONS = join(import.meta.dirname, "..", "spec");
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** What TLC found. */
export interface Finding {
  /** Different states looked at. */
  states: number;
  /** States on the longest shortest way from the beginning, or on the counter-example. */
  depth: number;
  /** The invariant that does not hold; null where every state has been looked at and all hold. */
  violated: string | null;
  /** Steps of the counter-example, one of the shortest there are. */
  steps: string[];
  /** The counter-example as TLC prints it, state by state. */
  trace: string;
  seconds: number;
}

/**
 * Runs TLC breadth-first to the end or to the first state in which an invariant does not hold, which is then
 * reached by the fewest steps.
 *
 * @throws StackFailure `part_missing` without Java or TLC; `part_failed` where TLC can't read or evaluate the specification
 */
export async function runTlc(check: Check): Promise<Finding> {
  const [java, jar] = [await findJava(), await findTlc()];
  const folder = mkdtempSync(join(tmpdir(), "coupon-model-"));
  const startedAt = performance.now();
  try {
    const unpacked = join(folder, "unpacked");
    mkdirSync(unpacked);
    cpSync(SPECIFICATIONS, folder, { recursive: true });
    writeFileSync(join(folder, "check.cfg"), configurationOf(check));
    // Most runs take seconds: a simple collector and the first compiler alone cost half the CPU time.
    const cheap = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx1g"];
    // TLC unpacks its modules into the temporary folder and deletes them at its end, under the eyes of one that runs beside it.
    const vm = [...cheap, `-Djava.io.tmpdir=${unpacked}`, "-cp", jar];
    const options = ["-deadlock", "-nowarning", "-workers", "1", "-metadir", join(folder, "states")];
    const words = [...vm, "tlc2.TLC", ...options, "-config", "check.cfg", `${check.specification.module}.tla`];
    const output = await outputOf(java, words, folder);
    return { ...parseOutput(output), seconds: (performance.now() - startedAt) / 1_000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function outputOf(java: string, words: string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(java, words, { cwd, maxBuffer: OUTPUT_BYTES_MAX }, (error, stdout) => {
      // TLC's exit status is not 0 for a counter-example too; its output tells which it is.
      if (error !== null && typeof error.code !== "number") reject(error);
      else resolve(stdout);
    });
  });
}

const COUNTS = /^\d+ states generated, (\d+) distinct states found, (\d+) states left on queue\.$/m;
const DEPTH = /^The depth of the complete state graph search is (\d+)\.$/m;
const VIOLATED = /^Error: Invariant (\w+) is violated(?: by the initial state)?\.$/m;
const STATE = /^State \d+: <(\w+) .*$/gm;

/** Reads TLC's output. */
export function parseOutput(output: string): Omit<Finding, "seconds"> {
  const counts = COUNTS.exec(output);
  const depth = DEPTH.exec(output);
  const violated = VIOLATED.exec(output)?.[1] ?? null;
  const isWhole = output.includes("Model checking completed. No error has been found.") && counts?.[2] === "0";
  if (counts === null || depth === null || (violated === null && !isWhole)) {
    throw new StackFailure("part_failed", "TLC did not check the specification.", output.slice(-2_000));
  }
  const trace = violated === null ? "" : output.slice(output.indexOf("State 1:"), output.indexOf(counts[0])).trim();
  const steps = [...trace.matchAll(STATE)].map(([, action]) => String(action)).filter((action) => action !== "Initial");
  return { states: Number(counts[1]), depth: Number(depth[1]), violated, steps, trace };
}
