import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { isAlive, type ProcessIdentity } from "./proc.ts";

/** One process of a stack, as its supervisor wrote it down. */
export interface RecordedProcess extends ProcessIdentity {
  readonly name: string;
}

/**
 * The processes of a stack on disk, in the order they were started, so that the next supervisor finds what a
 * killed one left. An entry counts only while that very process lives: same pid and same start time.
 */
export class ProcessRecord {
  readonly #path: string;
  readonly #processes: RecordedProcess[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** Live processes that an earlier supervisor wrote down and did not stop. */
  survivors(): RecordedProcess[] {
    return this.#read().filter(isAlive);
  }

  /** Writes a process down, at once, so that not even a kill right after it loses it. */
  add(name: string, identity: ProcessIdentity): void {
    const dead = this.#processes.findIndex((known) => !isAlive(known));
    if (dead >= 0) this.#processes.splice(dead, 1);
    this.#processes.push({ name, ...identity });
    this.#write();
  }

  /** Forgets everything; for when all are stopped. */
  clear(): void {
    this.#processes.length = 0;
    rmSync(this.#path, { force: true });
  }

  #read(): RecordedProcess[] {
    try {
      const known: unknown = JSON.parse(readFileSync(this.#path, "utf8"));
      return Array.isArray(known) ? (known as RecordedProcess[]) : [];
    } catch {
      return [];
    }
  }

  #write(): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    const incoming = `${this.#path}.new`;
    writeFileSync(incoming, `${JSON.stringify(this.#processes, undefined, 2)}\n`);
    renameSync(incoming, this.#path);
  }
}
