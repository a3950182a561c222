import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts, type Running, startService } from "@coupon/stack";
import { temporaryFolder } from "./temporary-folder.ts";

/** The checkout. */
export const REPOSITORY = join(import.meta.dirname, "../../..");

/** How to run one process of a service for a test. */
export interface ServiceProcessOptions {
  /** The module to run, relative to the checkout, e.g. `services/ledger/src/main.ts`; or absolute. */
  readonly main: string;
  /** Added to this process' environment, in which the parts' addresses already are. `PORT` is set to `port`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a free port. */
  readonly port?: number;
  /** Answers 200 once it is ready. Default: `/readyz` at `port`. */
  readonly readyUrl?: string;
  /** Default 30,000. */
  readonly readyTimeoutMs?: number;
  /** How long `stop` lets it drain before it kills it. Default 20,000. */
  readonly stopTimeoutMs?: number;
}

/** A service's process: `kill("SIGKILL")` plays a crash, `stop` drains it; `child.exited` tells when it is gone. */
export interface ServiceProcess extends Running {
  /** What it wrote to standard output and error. */
  output(): string;
}

/**
 * Runs a service's `main.ts` as a process of its own and resolves once it is ready. It dies with this process.
 * Throws a StackFailure, with the end of its output as `detail`, when it ends first or the time is up.
 */
export async function startServiceProcess(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const port = options.port ?? (await freePorts(1))[0] ?? 0;
  const url = `http://127.0.0.1:${port}`;
  const logFile = join(temporaryFolder("service"), "output");
  const running = await startService({
    name: options.main,
    service: options.main,
    main: options.main,
    root: REPOSITORY,
    env: { ...options.env, PORT: String(port) },
    port,
    url,
    readyUrl: options.readyUrl ?? `${url}/readyz`,
    readyTimeoutMs: options.readyTimeoutMs ?? 30_000,
    logFile,
    dieWithParent: true,
    ...(options.stopTimeoutMs === undefined ? {} : { stopTimeoutMs: options.stopTimeoutMs }),
  });
  return { ...running, output: () => readFileSync(logFile, "utf8") };
}
