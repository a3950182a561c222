import type { Exit } from "../process/child.ts";
import { StackFailure } from "../stack-failure.ts";

/** What a stack tells while it starts, runs and stops. */
export type StackEvent =
  | { readonly kind: "waiting_for_stop"; readonly pid: string }
  | { readonly kind: "orphans_stopped"; readonly names: readonly string[] }
  | { readonly kind: "using"; readonly name: string; readonly url: string }
  | { readonly kind: "starting"; readonly name: string }
  | { readonly kind: "ready"; readonly name: string; readonly url: string; readonly tookMs: number }
  | { readonly kind: "step_done"; readonly name: string; readonly tookMs: number }
  | {
      readonly kind: "died";
      readonly name: string;
      readonly pid: number;
      readonly exit: Exit;
      readonly restartInMs: number;
    }
  | { readonly kind: "restarted"; readonly name: string; readonly pid: number }
  | { readonly kind: "restart_failed"; readonly name: string; readonly error: unknown; readonly restartInMs: number }
  | { readonly kind: "noticed"; readonly name: string; readonly notice: string }
  | { readonly kind: "stopping" }
  | { readonly kind: "stopped" };

function because(exit: Exit): string {
  return exit.signal === null ? `with exit status ${exit.code}` : `by ${exit.signal}`;
}

function sentenceOf(error: unknown): string {
  if (error instanceof StackFailure) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Says an event in one line for people. */
export function describeEvent(event: StackEvent): string {
  switch (event.kind) {
    case "waiting_for_stop":
      return `waiting for the stack before (pid ${event.pid}) to stop`;
    case "orphans_stopped":
      return `stopped what an earlier start left running: ${event.names.join(", ")}`;
    case "using":
      return `${event.name}: using ${event.url}`;
    case "starting":
      return `${event.name}: starting`;
    case "ready":
      return `${event.name}: ready at ${event.url} after ${seconds(event.tookMs)}`;
    case "step_done":
      return `${event.name}: done after ${seconds(event.tookMs)}`;
    case "died":
      return `${event.name} (pid ${event.pid}) ended unasked ${because(event.exit)}; starting it again in ${event.restartInMs} ms`;
    case "restarted":
      return `${event.name}: ready again as pid ${event.pid}`;
    case "restart_failed":
      return `${event.name} did not start again (${sentenceOf(event.error)}); trying again in ${event.restartInMs} ms`;
    case "noticed":
      return `${event.name}: ${event.notice}`;
    case "stopping":
      return "stopping";
    case "stopped":
      return "stopped; the data stays in .local";
  }
}

function seconds(tookMs: number): string {
  return `${(tookMs / 1_000).toFixed(1)} s`;
}
