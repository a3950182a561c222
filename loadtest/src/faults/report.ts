import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Operation } from "@coupon/history";
import type { Fault } from "./fault.ts";
import type { Result } from "./run-schedule.ts";

const FOLDER = join(import.meta.dirname, "../../../.local/faults");

/** Sums over schedules. */
export class Summary {
  schedules = 0;
  violations = 0;
  operations = 0;
  entries = 0;
  readonly failed: number[] = [];
  readonly #faults = new Map<string, number>();

  add({ schedule, violations, history, faults }: Result): void {
    this.schedules += 1;
    this.violations += violations.length;
    if (violations.length > 0) this.failed.push(schedule.seed);
    this.operations += [...history.operations].length;
    this.entries += [...history.log].length;
    for (const { fault, note } of faults) {
      const kind = note === "emptied" ? `${fault.kind} to nothing` : fault.kind;
      this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
    }
  }

  line(seconds: number): string {
    const kinds = [...this.#faults].sort(([one], [other]) => one.localeCompare(other));
    const count = kinds.reduce((sum, [, times]) => sum + times, 0);
    const failed = this.failed.length === 0 ? "" : ` (seeds ${this.failed.join(", ")})`;
    return (
      `${this.schedules} schedules, ${this.violations} violations${failed}, ${this.operations} operations, ` +
      `${this.entries} log messages, ${count} faults in ${Math.round(seconds)} s: ` +
      kinds.map(([kind, times]) => `${kind} ${times}`).join(", ")
    );
  }
}

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
    ["what happened", timeline(result)],
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

function timeline({ history, faults, beganAtMs }: Result): string[] {
  const events: [number, string][] = [];
  const at = (ms: number, text: string): void => {
    events.push([ms, text]);
  };
  for (const { fault, fromMs, toMs, note } of faults) {
    at(fromMs, `FAULT begins: ${tellFault(fault)}`);
    at(toMs, `FAULT over: ${fault.kind}${note === "" ? "" : ` (${note})`}`);
  }
  for (const { versions } of history.batches) {
    for (const { definition, publishedAtMs } of versions) {
      const { batchId, version, state, stock } = definition;
      at(publishedAtMs, `RULES ${batchId} version ${version}: ${state}, ${JSON.stringify(stock)}`);
    }
  }
  for (const operation of history.operations) {
    at(
      operation.calledAtMs,
      `#${operation.id} ${operation.client} ${operation.op} ${JSON.stringify(operation.request)}`,
    );
    if (operation.returnedAtMs !== null) at(operation.returnedAtMs, `#${operation.id} -> ${tellAnswer(operation)}`);
  }
  return events
    .sort(([one], [other]) => one - other)
    .map(([ms, text]) => `${(ms - beganAtMs).toFixed(1).padStart(9)} ${text}`);
}

function tellFault({ atMs, ...fault }: Fault): string {
  return `${JSON.stringify(fault)}, drawn for ${atMs} ms`;
}

function tellAnswer({ answer }: Operation): string {
  if (answer === null) return "no answer";
  const { status, body, positions, replayed } = answer;
  const where = positions.map(({ partition, offset }) => `${partition}:${offset}`).join(",");
  return `${status}${replayed === true ? " replayed" : ""} ${JSON.stringify(body)} ${where}`;
}
