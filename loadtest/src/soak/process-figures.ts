import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const KiB = 1_024;

/** Memory in RAM of a process, in bytes: all of it, or only what is its own and no file's. Throws where it is gone. */
export function residentBytes(pid: number, which: "VmRSS" | "RssAnon" = "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${which}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) * KiB;
}

/** Open descriptors, and the sockets among them. Throws where the process is gone or another user's. */
export function descriptorsOf(pid: number): { descriptors: number; connections: number } {
  const names = readdirSync(`/proc/${pid}/fd`);
  const targets = names.map((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return "";
    }
  });
  return { descriptors: names.length, connections: targets.filter((it) => it.startsWith("socket:")).length };
}

/** A process and all that it has started, so far as they live. */
export function familyOf(pid: number): number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: parentOf(Number(name)) }));
  const family = [pid];
  for (const member of family) {
    for (const each of parents) if (each.parent === member) family.push(each.pid);
  }
  return family;
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return 0;
  }
}

/** Bytes that the family's processes have each for itself; shared buffers count for none. */
export function familyBytes(pid: number): number {
  let bytes = 0;
  for (const member of familyOf(pid)) {
    try {
      bytes += residentBytes(member, "RssAnon");
    } catch {
      // It ended while it was looked at.
    }
  }
  return bytes;
}
