import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "./run-schedule.ts";
import { timeline } from "./timeline.ts";

const FOLDER = join(import.meta.dirname, "../../../.local/faults");

/** Sums over schedules. */
export class Summary {
  schedules = 0;
  violations = 0;
  operations = 0;
  entries = 0;
  readonly failed: number[] = [];
  readonly #faults = new Map<string, { times: number; struck: number; counted: boolean }>();

  /** A schedule that could not be run to its end: the failure of its seed. */
  addBroken(seed: number): void {
    this.schedules += 1;
    this.violations += 1;
    this.failed.push(seed);
  }

  add({ schedule, violations, history, faults }: Result): void {
    this.schedules += 1;
    this.violations += violations.length;
    if (violations.length > 0) this.failed.push(schedule.seed);
    this.operations += [...history.operations].length;
    this.entries += [...history.log].length;
    for (const { fault, note, struck } of faults) {
      const kind = note === "emptied" ? `${fault.kind} to nothing` : fault.kind;
      const known = this.#faults.get(kind) ?? { times: 0, struck: 0, counted: false };
      known.times += 1;
      known.struck += struck ?? 0;
      known.counted ||= struck !== null;
      this.#faults.set(kind, known);
    }
  }

  line(seconds: number): string {
    const kinds = [...this.#faults].sort(([one], [other]) => one.localeCompare(other));
    const count = kinds.reduce((sum, [, { times }]) => sum + times, 0);
    const failed = this.failed.length === 0 ? "" : ` (seeds ${this.failed.join(", ")})`;
    return (
      `${this.schedules} schedules, ${this.violations} violations${failed}, ${this.operations} operations, ` +
      `${this.entries} log messages, ${count} faults in ${Math.round(seconds)} s: ` +
      kinds
        .map(([kind, { times, struck, counted }]) => `${kind} ${times}${tellStruck(kind, struck, counted)}`)
        .join(", ")
    );
  }
}

function tellStruck(kind: string, struck: number, counted: boolean): string {
  return counted ? ` (${struck} ${struckBy[kind] ?? "times"})` : "";
}

/** What is counted of faults that may come to nothing. */
const struckBy: Readonly<Record<string, string>> = {
  "kafka-disk-full": "appends refused",
  "postgres-restart": "open transactions",
};

export function oneLine({ schedule, violations, history, faults, tookMs }: Result): string {
  const what = faults.map(({ fault }) => fault.kind).join(", ");
  const found = violations.length === 0 ? "clean" : `${violations.length} VIOLATIONS`;
  const operations = [...history.operations].length;
  return `seed ${schedule.seed}: ${found}, ${operations} operations, ${(tookMs / 1_000).toFixed(1)} s [${what}]`;
}

/** Writes a failing run down and returns where: findings first, then requests, answers and faults in order of time. */
export function writeHistory(result: Result): string {
  mkdirSync(FOLDER, { recursive: true });
  const path = pathOf(result.schedule.seed);
  const { clients, ...plan } = result.schedule;
  const parts = [
    ["findings", result.violations.map((violation) => JSON.stringify(violation))],
    ["schedule", [JSON.stringify(plan), `${clients.length} clients`]],
    ["what happened", timeline(result).map(({ line }) => line)],
    ["log", [...result.history.log].map((entry) => JSON.stringify(entry))],
    ["output of the processes", [result.outputs]],
  ] as const;
  writeFileSync(path, parts.map(([title, lines]) => `== ${title}\n${lines.join("\n")}\n`).join("\n"));
  return path;
}

/** Takes away what an earlier run of this seed has left; other seeds' histories stay. */
export function forgetHistory(seed: number): void {
  rmSync(pathOf(seed), { force: true });
}

function pathOf(seed: number): string {
  return join(FOLDER, `seed-${seed}.txt`);
}
