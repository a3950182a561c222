import type { RunResult } from "./run-schedule.ts";
import { kindOf } from "./schedule.ts";

/** What a number of runs come to. */
export class Summary {
  schedules = 0;
  /** Schedules in which something was found. */
  violations = 0;
  operations = 0;
  readonly #faults = new Map<string, number>();

  add({ schedule, findings, operations }: Pick<RunResult, "schedule" | "findings" | "operations">): void {
    this.schedules += 1;
    this.operations += operations;
    if (findings.length > 0) this.violations += 1;
    for (const fault of schedule.faults) this.#count(kindOf(fault));
    if (schedule.secondLedger !== "none") this.#count(`second ledger ${schedule.secondLedger}`);
  }

  #count(kind: string): void {
    this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
  }

  text(): string {
    const faults = [...this.#faults].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `  ${kind}: ${count}`);
    return [
      `${this.schedules} schedules, ${this.violations} with a violation, ${this.operations} operations; faults by kind:`,
      ...faults,
    ].join("\n");
  }
}
