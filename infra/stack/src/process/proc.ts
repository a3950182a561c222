import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Identifies one life of a process: a pid may be given out again, a pid with its start time isn't. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly parentPid: number;
  /** Clock ticks after boot at which it started (`/proc/<pid>/stat`, field 22). */
  readonly startTicks: number;
  /** Its command line, words joined by spaces. */
  readonly command: string;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Says who a live process is, `undefined` when there is none with that pid or it is a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = read(`/proc/${pid}/stat`);
  const command = read(`/proc/${pid}/cmdline`);
  if (stat === undefined || command === undefined) return undefined;
  // The second field is the name in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z") return undefined;
  return {
    pid,
    parentPid: Number(fields[1]),
    startTicks: Number(fields[19]),
    command: command.split("\0").join(" ").trim(),
  };
}

/** True while that very process lives: same pid and same start. */
export function isAlive(identity: Pick<ProcessIdentity, "pid" | "startTicks">): boolean {
  return identify(identity.pid)?.startTicks === identity.startTicks;
}

function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** All live processes whose working directory is `directory`; servers work in their own data directory. */
export function processesIn(directory: string): ProcessIdentity[] {
  const found: ProcessIdentity[] = [];
  for (const pid of allPids()) {
    try {
      if (readlinkSync(`/proc/${pid}/cwd`) !== directory) continue;
    } catch {
      continue;
    }
    const identity = identify(pid);
    if (identity !== undefined) found.push(identity);
  }
  return found;
}

/** Who listens on a TCP port of this machine, as far as this user may see. */
export function listenerOf(port: number): ProcessIdentity | undefined {
  const inodes = new Set(
    ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => listeningInodes(read(path) ?? "", port)),
  );
  if (inodes.size === 0) return undefined;
  for (const pid of allPids()) {
    if (holdsSocket(pid, inodes)) return identify(pid);
  }
  return undefined;
}

function listeningInodes(table: string, port: number): string[] {
  const listening = "0A";
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  return table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hexPort}`) === true && fields[3] === listening)
    .map((fields) => `socket:[${fields[9]}]`);
}

function holdsSocket(pid: number, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
