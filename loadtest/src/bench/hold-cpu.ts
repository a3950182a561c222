import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Processes held to a part of a core, until disposed of. */
export interface CpuHold extends Disposable {
  /** In words, for the report. */
  how: string;
}

/** Short, so that a process that has used up its part waits some milliseconds and not a tenth of a second. */
const periodMicroseconds = 10_000;

const hierarchies = [
  {
    root: "/sys/fs/cgroup",
    marker: "cgroup.controllers",
    limit: (folder: string, quota: number) => writeFileSync(join(folder, "cpu.max"), `${quota} ${periodMicroseconds}`),
  },
  {
    root: "/sys/fs/cgroup/cpu",
    marker: "cpu.cfs_quota_us",
    limit: (folder: string, quota: number) => {
      writeFileSync(join(folder, "cpu.cfs_period_us"), String(periodMicroseconds));
      writeFileSync(join(folder, "cpu.cfs_quota_us"), String(quota));
    },
  },
];

/** Holds processes to `cores` by a control group, of version 2 or else 1. Where neither may be written, says so. */
export function holdCpu(pids: readonly number[], cores: number): CpuHold {
  for (const { root, marker, limit } of hierarchies) {
    if (!existsSync(join(root, marker))) continue;
    const folder = join(root, `coupon-bench-${process.pid}`);
    try {
      mkdirSync(folder);
      limit(folder, Math.round(cores * periodMicroseconds));
      for (const pid of pids) writeFileSync(join(folder, "cgroup.procs"), String(pid));
    } catch {
      letGo(root, folder, pids);
      continue;
    }
    return { how: `held to ${cores} of a core by a control group`, [Symbol.dispose]: () => letGo(root, folder, pids) };
  }
  return { how: "NOT held to a part of a core: no control group may be written here", [Symbol.dispose]: () => {} };
}

function letGo(root: string, folder: string, pids: readonly number[]): void {
  if (!existsSync(folder)) return;
  for (const pid of pids) if (existsSync(`/proc/${pid}`)) writeFileSync(join(root, "cgroup.procs"), String(pid));
  rmdirSync(folder);
}
