import { resolve } from "node:path";
import { Child } from "../process/child.ts";
import { StackFailure } from "../stack-failure.ts";

/** A program that prepares something and ends, e.g. the migrations. */
export interface StepSpec {
  readonly name: string;
  readonly main: string;
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly onSpawn?: (child: Child) => void;
}

/** Runs a step to its end. Throws a StackFailure `step_failed`, with the end of its log, unless it exits with 0. */
export async function runStep(spec: StepSpec): Promise<void> {
  const child = await Child.start({
    name: spec.name,
    command: process.execPath,
    args: [resolve(spec.root, spec.main)],
    cwd: spec.root,
    env: { ...process.env, ...spec.env },
    logFile: spec.logFile,
  });
  spec.onSpawn?.(child);
  const { code } = await child.exited;
  if (code === 0) return;
  throw new StackFailure("step_failed", `${spec.name} failed: read ${spec.logFile}.`, child.tail());
}
