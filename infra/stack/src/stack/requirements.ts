import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { StackFailure } from "../stack-failure.ts";

/** What a machine must have left for the stack. */
export interface Requirements {
  readonly diskBytesMin: number;
  readonly memoryBytesMin: number;
}

const GiB = 2 ** 30;

/** 2 GiB of disk and 1.5 GiB of memory. */
export const DEFAULT_REQUIREMENTS: Requirements = { diskBytesMin: 2 * GiB, memoryBytesMin: 1.5 * GiB };

function numberIn(path: string): number {
  try {
    return Number(readFileSync(path, "utf8").trim());
  } catch {
    return Number.NaN;
  }
}

function field(path: string, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(path, "utf8"))?.[1] ?? Number.NaN);
  } catch {
    return Number.NaN;
  }
}

/** Bytes that new processes may use: the kernel's estimate, or what a container's limit (cgroup 2) leaves. */
export function memoryAvailableBytes(): number {
  const machine = field("/proc/meminfo", /^MemAvailable:\s+(\d+) kB/m) * 1024;
  const limit = numberIn("/sys/fs/cgroup/memory.max");
  // Cached file pages count as used in a container and are given back on demand.
  const cache = field("/sys/fs/cgroup/memory.stat", /^inactive_file (\d+)$/m);
  const left = limit - numberIn("/sys/fs/cgroup/memory.current") + cache;
  return Number.isFinite(left) ? Math.min(machine, left) : machine;
}

function gib(bytes: number): string {
  return `${(bytes / GiB).toFixed(1)} GiB`;
}

/** Throws a StackFailure `disk_low` or `memory_low` unless the machine has what the stack needs. */
export async function assertRequirements(folder: string, needed: Requirements = DEFAULT_REQUIREMENTS): Promise<void> {
  const disk = await statfs(folder);
  const diskBytes = disk.bavail * disk.bsize;
  if (diskBytes < needed.diskBytesMin) {
    throw new StackFailure(
      "disk_low",
      `The disk of ${folder} has ${gib(diskBytes)} left and the stack needs ${gib(needed.diskBytesMin)}: free some space and start again.`,
    );
  }
  const memoryBytes = memoryAvailableBytes();
  if (memoryBytes < needed.memoryBytesMin) {
    throw new StackFailure(
      "memory_low",
      `${gib(memoryBytes)} of memory are available and the stack needs ${gib(needed.memoryBytesMin)}: close other programs and start again.`,
    );
  }
}
