import { readFileSync } from "node:fs";

/** Linux counts CPU time in /proc in units of USER_HZ, which is 100 on every architecture that Node supports. */
const ticksPerSecond = 100;

/** CPU time, user and system, that a process has used since it started, in seconds. Throws where it is gone. */
export function cpuSecondsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The command's name, in parentheses, may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
