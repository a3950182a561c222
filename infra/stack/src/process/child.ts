import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StackFailure } from "../stack-failure.ts";
import { identify, type ProcessIdentity } from "./proc.ts";

/** How to start one process of the stack. */
export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; the caller decides what to hand on. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Where standard output and error go; appended to, turned over once at {@link LOG_BYTES_MAX}. */
  readonly logFile: string;
  readonly stopSignal?: NodeJS.Signals;
  /** After this long without an end, `stop` kills the whole process group. */
  readonly stopTimeoutMs?: number;
  /** Ask the kernel to kill it when this process dies, so that a killed test run leaves nothing. */
  readonly dieWithParent?: boolean;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A log is turned over (to `<name>.1`) at the next start once it is larger. */
export const LOG_BYTES_MAX = 16 << 20;
const TAIL_BYTES = 4_096;

/** A process in a group of its own, so that Ctrl-C in the terminal reaches only its supervisor. */
export class Child {
  readonly name: string;
  readonly pid: number;
  readonly identity: ProcessIdentity;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  readonly #spec: ChildSpec;
  readonly #logStart: number;
  #exit: Exit | undefined;

  private constructor(spec: ChildSpec, process: ChildProcess, pid: number, logStart: number) {
    this.name = spec.name;
    this.#logStart = logStart;
    this.pid = pid;
    this.#spec = spec;
    this.#process = process;
    this.identity = identify(pid) ?? { pid, parentPid: globalThis.process.pid, startTicks: -1, command: "" };
    this.exited = new Promise((resolve) => {
      process.once("exit", (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  /** Starts the process. Throws a StackFailure `part_missing` when the command can't be run. */
  static async start(spec: ChildSpec): Promise<Child> {
    const log = openLog(spec.logFile);
    const logStart = fstatSync(log).size;
    try {
      const [command, args] = withParentDeath(spec);
      const process = spawn(command, args, {
        cwd: spec.cwd,
        env: spec.env ?? globalThis.process.env,
        detached: true,
        stdio: ["ignore", log, log],
      });
      const failure = await new Promise<Error | undefined>((resolve) => {
        process.once("spawn", () => resolve(undefined));
        process.once("error", resolve);
      });
      if (failure !== undefined || process.pid === undefined) {
        throw new StackFailure(
          "part_missing",
          `${spec.name} can't be run (${failure?.message}): install it and start again.`,
        );
      }
      return new Child(spec, process, process.pid, logStart);
    } finally {
      closeSync(log);
    }
  }

  /** How it ended, `undefined` while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** The last few KiB of what it wrote itself; what an earlier process wrote into the same log stays out. */
  tail(): string {
    return tailOf(this.#spec.logFile, this.#logStart);
  }

  /** Sends a signal to the process alone. */
  kill(signal: NodeJS.Signals): void {
    if (this.#exit === undefined) this.#process.kill(signal);
  }

  /** Asks it to end, waits, and kills its group when it takes longer than allowed. Never throws. */
  async stop(): Promise<Exit> {
    this.kill(this.#spec.stopSignal ?? "SIGTERM");
    const timer = new AbortController();
    const late = sleep(this.#spec.stopTimeoutMs ?? 10_000, "late" as const, { signal: timer.signal }).catch(
      () => "late",
    );
    if ((await Promise.race([this.exited, late])) === "late") killGroup(this.pid);
    timer.abort();
    const exit = await this.exited;
    killGroup(this.pid);
    return exit;
  }
}

function withParentDeath(spec: ChildSpec): [string, readonly string[]] {
  if (spec.dieWithParent !== true || !existsSync("/usr/bin/setpriv")) return [spec.command, spec.args];
  // setpriv replaces itself by the command, so the pid stays; given twice, its options simply add up.
  if (spec.command === "setpriv") return [spec.command, ["--pdeathsig", "KILL", ...spec.args]];
  return ["setpriv", ["--pdeathsig", "KILL", "--", spec.command, ...spec.args]];
}

/** Kills what is left of a process group; a group that is gone already is fine. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // ESRCH: nothing is left, which is what was wanted.
  }
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES_MAX) renameSync(path, `${path}.1`);
  return openSync(path, "a");
}

function tailOf(path: string, from: number): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= from) return "";
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(Math.min(size - from, TAIL_BYTES));
    readSync(file, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString("utf8").trim();
  } finally {
    closeSync(file);
  }
}
