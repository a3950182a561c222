import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { portIsFree, waitUntil } from "../src/index.ts";

const SUPERVISOR = join(import.meta.dirname, "fixtures/supervisor.ts");
const OFFSETS = [0, 1, 2, 20, 21, 22, 23];

/** A PORT_BASE of which all ports are free now. */
export async function freePortBase(): Promise<number> {
  for (let base = 21_000; base < 32_000; base += 100) {
    const free = await Promise.all(OFFSETS.map((offset) => portIsFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error("no free range of ports");
}

/** Which of a stack's ports somebody listens on. */
export async function takenPorts(base: number): Promise<number[]> {
  const free = await Promise.all(OFFSETS.map((offset) => portIsFree(base + offset)));
  return OFFSETS.filter((_, index) => free[index] !== true).map((offset) => base + offset);
}

/** Live processes whose working directory is in a folder, or whose command line names it. */
export function processesAbout(folder: string): string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      try {
        if (readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return command.includes(folder) || readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
          ? [`${pid} ${command}`]
          : [];
      } catch {
        return [];
      }
    });
}

/** A stack in a process of its own; see fixtures/supervisor.ts. */
export class Supervised {
  readonly lines: string[] = [];
  readonly process: ChildProcess;
  readonly exited: Promise<number | NodeJS.Signals | null>;
  #ended = false;

  constructor(root: string, portBase: number, env: NodeJS.ProcessEnv = {}) {
    const { REDIS_URL: _r, KAFKA_BROKERS: _k, DATABASE_URL: _d, ...own } = process.env;
    this.process = spawn(process.execPath, [SUPERVISOR, root], {
      env: { ...own, PORT_BASE: String(portBase), ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (this.process.stdout !== null) createInterface(this.process.stdout).on("line", (line) => this.lines.push(line));
    this.exited = new Promise((resolve) => {
      this.process.once("close", (code, signal) => {
        this.#ended = true;
        resolve(code ?? signal);
      });
    });
  }

  /** Waits for a line; throws with everything said so far when the process ends or a minute passes first. */
  async said(pattern: RegExp): Promise<string> {
    const line = await waitUntil(
      async () => this.lines.find((text) => pattern.test(text)) ?? (this.#ended ? "" : undefined),
      { timeoutMs: 60_000 },
    );
    if (line === undefined || line === "") throw new Error(`never said ${pattern}:\n${this.lines.join("\n")}`);
    return line;
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null> {
    this.process.kill(signal);
    return this.exited;
  }
}
