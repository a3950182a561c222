import { waitUntil } from "../net/wait-until.ts";
import type { Child } from "../process/child.ts";
import { StackFailure } from "../stack-failure.ts";

/** Names of the real parts. */
export type PartName = "redis" | "kafka" | "postgres";

/** A part or service that was started and is ready. */
export interface Running {
  readonly name: string;
  /** What clients connect to: a `redis://` URL, a broker's `host:port`, a `postgres://` URL, a service's base URL. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly child: Child;
  /** What its start found and did that a person should know: a sentence without its name. */
  readonly notice?: string;
  /** Ends it in order and waits; safe to call twice. */
  stop(): Promise<void>;
  /** Sends a signal at once, e.g. `SIGKILL` to play a crash; `child.exited` tells when it is gone. */
  kill(signal: NodeJS.Signals): void;
}

/** Where a part lives and how. */
export interface PartOptions {
  /** Its own folder: data, log and settings. Made when missing; kept at stop. */
  readonly directory: string;
  /** Default: a free port. */
  readonly port?: number;
  /** For tests: no fsync, and the kernel ends it when this process dies. */
  readonly ephemeral?: boolean;
  /** Called with the child as soon as it runs, before it is ready, so that a supervisor can write it down. */
  readonly onSpawn?: (child: Child) => void;
  /** Default 120 s: recovery of a large log takes its time. */
  readonly readyTimeoutMs?: number;
}

const READY_TIMEOUT_MS = 120_000;

/**
 * Waits until `check` says ready. Throws a StackFailure `part_failed`, with the end of the log, when the
 * process ends first or the time is up; it is stopped then.
 */
export async function untilReady(
  child: Child,
  check: () => Promise<boolean>,
  options: { readonly timeoutMs?: number | undefined; readonly advice: string },
): Promise<void> {
  const timeoutMs = options.timeoutMs ?? READY_TIMEOUT_MS;
  const outcome = await waitUntil(
    async () => {
      if (child.exit !== undefined) return "ended" as const;
      return (await check()) ? ("ready" as const) : undefined;
    },
    { timeoutMs, intervalMs: 30 },
  );
  if (outcome === "ready") return;
  const detail = child.tail();
  await child.stop();
  const what = outcome === "ended" ? "ended while starting" : `was not ready within ${timeoutMs / 1_000} s`;
  throw new StackFailure("part_failed", `${child.name} ${what}: ${options.advice}`, detail);
}

/** Makes a {@link Running} of a child that is ready. */
export function running(child: Child, port: number, url: string): Running {
  return {
    name: child.name,
    url,
    port,
    pid: child.pid,
    child,
    stop: async () => {
      await child.stop();
    },
    kill: (signal) => child.kill(signal),
  };
}
