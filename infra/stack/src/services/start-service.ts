import { resolve } from "node:path";
import { type Running, running, untilReady } from "../parts/part.ts";
import { httpIsReady } from "../probes/http.ts";
import { Child } from "../process/child.ts";

/** How to run one process of a service. */
export interface ServiceSpec {
  /** Unique, e.g. `issuing-1`. */
  readonly name: string;
  /** The service it is a process of, e.g. `issuing`; names it in `stack.json`. */
  readonly service: string;
  /** The module to run, relative to `root` or absolute. */
  readonly main: string;
  readonly root: string;
  /** Added to this process' own environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly port: number;
  /** Where clients reach it. */
  readonly url: string;
  /** Answers 200 once it may take traffic. */
  readonly readyUrl: string;
  readonly logFile: string;
  /** Time to drain before it is killed. Default 20,000. */
  readonly stopTimeoutMs?: number;
  readonly readyTimeoutMs?: number;
  /** For tests: the kernel ends it when this process dies. */
  readonly dieWithParent?: boolean;
  readonly onSpawn?: (child: Child) => void;
}

/**
 * Runs `main` with this Node and resolves once `readyUrl` answers 200.
 * Throws a StackFailure `part_failed` with the end of its log when it ends first or the time is up.
 */
export async function startService(spec: ServiceSpec): Promise<Running> {
  const child = await Child.start({
    name: spec.name,
    command: process.execPath,
    args: [resolve(spec.root, spec.main)],
    cwd: spec.root,
    env: { ...process.env, ...spec.env },
    logFile: spec.logFile,
    stopTimeoutMs: spec.stopTimeoutMs ?? 20_000,
    dieWithParent: spec.dieWithParent === true,
  });
  spec.onSpawn?.(child);
  await untilReady(child, () => httpIsReady(spec.readyUrl), {
    timeoutMs: spec.readyTimeoutMs ?? 60_000,
    advice: `read ${spec.logFile}.`,
  });
  return running(child, spec.port, spec.url);
}
