import type { ServiceProcess } from "@coupon/testkit";

/**
 * Ends a process by a signal. Empty where it is gone by it; one that does not drain in the time that it has is killed,
 * and named.
 */
export async function endProcess(
  name: string,
  process: ServiceProcess | undefined,
  signal: NodeJS.Signals,
): Promise<string> {
  if (process === undefined) return "";
  if (signal !== "SIGTERM") {
    process.kill(signal);
    await process.child.exited;
    return "";
  }
  const exit = await process.child.stop();
  return exit.signal === "SIGKILL" ? `${name} did not drain in time on SIGTERM, and was killed` : "";
}
