import { waitUntil } from "../net/wait-until.ts";
import { isAlive, type ProcessIdentity, processesIn } from "./proc.ts";

const TERM_WAIT_MS = 20_000;
const KILL_WAIT_MS = 5_000;

function signalAll(processes: readonly ProcessIdentity[], signal: NodeJS.Signals): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended between the look and the signal.
    }
  }
}

async function allGone(processes: readonly ProcessIdentity[], timeoutMs: number): Promise<boolean> {
  const gone = await waitUntil(async () => (processes.some(isAlive) ? undefined : true), { timeoutMs });
  return gone === true;
}

/** Asks processes to end, waits for them, and kills those that don't. */
export async function endProcesses(processes: readonly ProcessIdentity[], signal: NodeJS.Signals): Promise<void> {
  if (processes.length === 0) return;
  signalAll(processes.filter(isAlive), signal);
  if (await allGone(processes, TERM_WAIT_MS)) return;
  signalAll(processes.filter(isAlive), "SIGKILL");
  await allGone(processes, KILL_WAIT_MS);
}

/**
 * Stops servers that still work in `dataDirectory`, left over by a supervisor that was killed: two servers on
 * one data directory would ruin it. Only processes whose working directory it is are touched.
 * Returns how many there were.
 */
export async function stopOrphansIn(dataDirectory: string, signal: NodeJS.Signals): Promise<number> {
  const orphans = processesIn(dataDirectory);
  if (orphans.length === 0) return 0;
  const members = new Set(orphans.map((orphan) => orphan.pid));
  // A server's own children end with it; signalling them too would make PostgreSQL think of a crash.
  const leaders = orphans.filter((orphan) => !members.has(orphan.parentPid));
  signalAll(leaders, signal);
  if (!(await allGone(orphans, TERM_WAIT_MS))) await endProcesses(processesIn(dataDirectory), "SIGKILL");
  return leaders.length;
}
