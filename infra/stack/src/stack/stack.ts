import type { Addresses, PlatformContext } from "../services/platform.ts";
import type { StepSpec } from "../services/run-step.ts";
import type { ServiceSpec } from "../services/start-service.ts";
import type { StackEvent } from "./events.ts";
import type { Requirements } from "./requirements.ts";
import type { StackSecrets } from "./secrets.ts";
import type { StackDescription } from "./stack-file.ts";

/** How to start a local stack. */
export interface StackOptions {
  /** The checkout; everything is kept in its `.local` folder. */
  readonly root: string;
  /** First port of the stack's range. Default: `PORT_BASE`, else 8080. */
  readonly portBase?: number;
  /** How many issuing processes share the public port. Default: `ISSUING_PROCESSES`, else 1. */
  readonly issuingProcesses?: number;
  /** What runs once before the services. Default: migrations and topics. */
  readonly steps?: (context: PlatformContext) => readonly StepSpec[];
  /** The services, in the order they depend on each other. Default: all of the platform's. */
  readonly services?: (context: PlatformContext) => readonly ServiceSpec[];
  readonly onEvent?: (event: StackEvent) => void;
  /** Aborted, e.g. by Ctrl-C, it ends the start at any point, or the stack when it is up. */
  readonly signal?: AbortSignal;
  /** What the machine must have left. Default: 2 GiB of disk, 1.5 GiB of memory. */
  readonly requirements?: Requirements;
}

/** A stack that is up. */
export interface Stack {
  readonly addresses: Addresses;
  readonly secrets: StackSecrets;
  /** Base URLs by service, e.g. `{issuing: "http://127.0.0.1:8080", …}`. */
  readonly urls: Readonly<Record<string, string>>;
  /** The stack's `.local` folder. */
  readonly local: string;
  /** Resolves once the stack has stopped, whoever asked for it. */
  readonly stopped: Promise<void>;
  /** Live pids by service and part, true over restarts. */
  pids(): Record<string, number | readonly number[]>;
  /** What `.local/stack.json` holds, or would hold before the first `publish`. */
  describe(): StackDescription;
  /** Writes `.local/stack.json` with these fields added, and keeps it true until `stop`, which removes it. */
  publish(extra: Readonly<Record<string, unknown>>): void;
  /** Ends all processes in reverse order; the data stays. Safe to call twice. */
  stop(): Promise<void>;
}
